"""Runs untrusted scripts: the protocol, its implementations (Docker, bubblewrap, a plain process), and the image."""

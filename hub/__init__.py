"""Finds, downloads and serves models: the Hub client, the starter hub and its server."""

"""The ways between the processes that the fault proxy can break, and how to tell it so.

    kafka-N     gateway-N, worker-N and sender-N to all brokers
    session-N   worker-N and sender-N to session-N
    redis-N     session-N to Redis
    graph       all senders to the Graph API
"""
import json
import pathlib
import socket
import sys

from process import Process

PROXY = pathlib.Path(__file__).resolve().parent / "proxy.py"
CONTROL_S = 10


class Links:
    """Without `proxied`, every way leads straight to its end and nothing can be broken."""

    def __init__(self, proxied, take_port):
        self.proxied, self.take_port = proxied, take_port
        self.control_port = take_port() if proxied else 0
        self.entries, self.names = [], []

    def lead(self, name, target_port):
        """The port to call in place of `target_port`."""
        if not self.proxied:
            return target_port
        if name not in self.names:
            self.names.append(name)
        port = self.take_port()
        self.entries.append(f"{name}={port}:{target_port}")
        return port

    def process(self, run_dir):
        """The proxy, not started yet. REQUIRES: all ways are led"""
        return Process("proxy", [sys.executable, PROXY, self.control_port, *self.entries], run_dir / "logs/proxy.log")

    def ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.control_port), timeout=1).close()
            return True
        except OSError:
            return False

    def set(self, name, mode, ms=0):
        with socket.create_connection(("127.0.0.1", self.control_port), timeout=CONTROL_S) as connection:
            connection.sendall(json.dumps({"link": name, "mode": mode, "ms": ms}).encode() + b"\n")
            if connection.recv(16) != b"ok\n":
                raise OSError(f"the proxy did not take {mode} of {name}")

"""As much of a Redis client as the harness needs: one command, one answer (RESP2)."""
import socket

TIMEOUT_S = 10


class RedisError(Exception):
    """Redis answered with an error."""


class Redis:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.file = self.connection.makefile("rb")

    def call(self, *parts):
        """bytes, int, None, or a list of them."""
        encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
        self.connection.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return rest

    def close(self):
        self.file.close()
        self.connection.close()

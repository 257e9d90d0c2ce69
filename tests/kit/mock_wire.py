"""A client that speaks raw bytes to a mock endpoint, and the requests it sends."""

from __future__ import annotations

import socket
import struct
from urllib.parse import urlsplit

__all__ = ["Wire", "post"]


class Wire:
    """A raw connection. No method waits longer than 20 s."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=20)
        self._read = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """(status, headers with lower-case names, body) of the next response; interim responses are skipped."""
        while True:
            head = self.until(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
            if status >= 200:
                break
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size)
                self.exactly(2)
            self.exactly(2)
            return status, headers, body
        return status, headers, self.exactly(int(headers.get("content-length", "0")))

    def interim(self) -> bytes:
        """The head of a 1xx response."""
        return self.until(b"\r\n\r\n")

    def rest(self) -> bytes:
        """Everything until the server closes."""
        data = self._read
        self._read = b""
        while piece := self.socket.recv(65536):
            data += piece
        return data

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close so that the server cannot take it for a client that still waits for its answer."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def until(self, end: bytes) -> bytes:
        while end not in self._read:
            self._more()
        found, _, self._read = self._read.partition(end)
        return found + end

    def exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            self._more()
        found, self._read = self._read[:size], self._read[size:]
        return found

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError(f"closed after {self._read!r}")
        self._read += piece


def post(path: str = "/endpoints/any/invocations", body: bytes = b"{}", *lines: str) -> bytes:
    """A request as bytes."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body

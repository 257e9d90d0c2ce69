"""A server of a handler on loopback, in a thread: what stands in for others' addresses is made of."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Stand"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


class Stand:
    """The second half of a context manager whose `__enter__` calls `serve`."""

    _server: _Server

    def serve(self, handler: type[BaseHTTPRequestHandler]) -> None:
        """Answer from now on, on a port that is free."""
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

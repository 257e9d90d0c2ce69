"""Serves a WSGI application from a daemon thread of this process: waitress, on an address of its own."""

from __future__ import annotations

import threading
from typing import Any

from waitress import create_server

from loadtest.serving import StrictChannel, drain, end_serving, listening

__all__ = ["WebServer"]

THREADS = 16  # a reader of a stream holds one
LAST_S = 1.0


class WebServer:
    """Listens when made, serves from `start` to `close`. port 0: a free one. Raises EngineError if it cannot listen."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        sock = listening(host, port)
        self._host, self.port = host, sock.getsockname()[1]
        self._server: Any = create_server(
            application, sockets=[sock], threads=THREADS, connection_limit=100, asyncore_use_poll=True, ident="loadtest"
        )
        self._server.channel_class = StrictChannel
        self._thread = threading.Thread(target=self._server.run, name="loadtest-web", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def drain(self, limit_s: float) -> None:
        """Returns once every answer has left this process, or after `limit_s`."""
        drain(self._server, limit_s)

    def close(self) -> None:
        """At once, whoever is still reading."""
        end_serving(self._server, self._thread, requests_s=LAST_S, loop_s=LAST_S)

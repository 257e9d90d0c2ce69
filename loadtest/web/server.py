"""Serves a WSGI application from a daemon thread of this process: waitress, on an address of its own."""

from __future__ import annotations

import socket
import threading
from typing import Any

from waitress import create_server

from loadtest.errors import EngineError

__all__ = ["WebServer"]

THREADS = 16  # a reader of a stream holds one
LAST_S = 1.0


class WebServer:
    """Listens when made, serves from `start` to `close`. port 0: a free one. Raises EngineError if it cannot listen."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
        except OSError as problem:
            sock.close()
            raise EngineError(f"cannot listen on {host} port {port}: {problem.strerror or problem}") from problem
        self._host, self.port = host, sock.getsockname()[1]
        self._server: Any = create_server(
            application, sockets=[sock], threads=THREADS, connection_limit=100, asyncore_use_poll=True, ident="loadtest"
        )
        self._thread = threading.Thread(target=self._server.run, name="loadtest-web", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """At once, whoever is still reading."""
        server = self._server
        server.task_dispatcher.shutdown(cancel_pending=True, timeout=LAST_S)

        def close_sockets() -> None:
            # waitress's loop ends when nothing is left in its map of sockets.
            server.asyncore.close_all(server._map, ignore_all=True)

        if self._thread.is_alive():
            server.trigger.pull_trigger(close_sockets)  # runs in the loop's own thread
            self._thread.join(LAST_S)
        close_sockets()

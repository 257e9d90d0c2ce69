"""How a WSGI server of ours comes to its address, reads a head and ends: pages, metrics, the emulator."""

from __future__ import annotations

import re
import socket
import threading
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

from loadtest.errors import EngineError

__all__ = ["PAGE_HEADERS", "StrictChannel", "drain", "end_serving", "listening"]

_LOOK_S = 0.02
_TRANSFER = re.compile(rb"^transfer-encoding[ \t]*:", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length[ \t]*:", re.IGNORECASE | re.MULTILINE)


class _StrictParser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a head that says in two ways where its body ends: whoever stands in between may have read the other one.

    RFC 9112, 6.1 and 6.3: such a request is refused and its connection closed, as is Transfer-Encoding in HTTP/1.0.
    """

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        given = len(_TRANSFER.findall(header_plus))
        if given and (given > 1 or self.version != "1.1" or _LENGTH.search(header_plus)):
            other = "another one" if given > 1 else "Content-Length" if self.version == "1.1" else "HTTP/1.0"
            raise ParsingError(f"Transfer-Encoding with {other}")


class StrictChannel(HTTPChannel):  # type: ignore[misc]
    """A connection of a server of ours: `server.channel_class`."""

    parser_class = _StrictParser


# Of a page of ours: it says nothing to, and is shown in, nobody else's, and is always today's.
PAGE_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0: to a free one. Raises EngineError with the reason if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as problem:
        sock.close()
        raise EngineError(f"cannot listen on {host} port {port}: {problem.strerror or problem}") from problem
    return sock


def drain(server: Any, limit_s: float) -> None:
    """Returns once every answer has left this process, as far as its readers read, or after `limit_s`."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s and any(
        channel.total_outbufs_len for channel in list(server.active_channels.values())
    ):
        time.sleep(_LOOK_S)


def end_serving(server: Any, thread: threading.Thread | None, *, requests_s: float, loop_s: float) -> None:
    """Take no more requests, cancel those that wait, let answers leave, close every connection. May be called twice.

    server: waitress's. thread: what its loop runs in; None: the caller's own. requests_s: how long those that run may
    take to their end, and their answers to leave. loop_s: how long the loop may.
    """
    until_s = time.monotonic() + requests_s
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=requests_s)
    if thread is not None and thread.is_alive():
        drain(server, until_s - time.monotonic())

    def close_sockets() -> None:
        for channel in list(server.active_channels.values()):
            channel.handle_close()  # with the files that its answers wait in
        # waitress's loop ends when nothing is left in its map of sockets.
        server.asyncore.close_all(server._map, ignore_all=True)

    if thread is not None and thread.is_alive():
        # In the loop's own thread, and not before the trigger was pulled: a loop that is awake already would close the
        # trigger's pipe under the hand that writes to it.
        pulled = threading.Event()

        def close_in_turn() -> None:
            pulled.wait()
            close_sockets()

        try:
            server.trigger.pull_trigger(close_in_turn)
        finally:
            pulled.set()
        thread.join(loop_s)
    close_sockets()

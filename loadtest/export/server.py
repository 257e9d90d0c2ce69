"""Where Prometheus scrapes a run: a web server on threads of its own, which no open connection keeps alive."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from waitress.server import create_server

from loadtest.errors import EngineError, Problem, SpecError
from loadtest.export.prometheus import Source, application_of
from loadtest.loopback import is_loopback
from loadtest.serving import StrictChannel, end_serving, listening
from loadtest.wire.access import Access, environ_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["ScrapeServer"]

CONNECTIONS = 50
IDLE_S = 30  # until a connection on which nothing moves is closed
CLOSE_S = 1.0


class ScrapeServer:
    """Listens from the start, serves after `start`. Raises SpecError if the address cannot be had."""

    def __init__(self, source: Source, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        logging.getLogger("waitress").setLevel(logging.ERROR)  # a busy moment is no news for a terminal
        self._server: Any = create_server(
            _guarded(application_of(source), host),
            sockets=[self._socket],
            threads=2,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_S,
            cleanup_interval=5,
            asyncore_use_poll=True,  # select ends at descriptor 1,024
            max_request_body_size=1024,
            ident="loadtest",
            clear_untrusted_proxy_headers=True,
        )
        self._server.channel_class = StrictChannel
        self._thread = threading.Thread(target=self._server.run, name="loadtest-prometheus", daemon=True)

    @property
    def url(self) -> str:
        """What to give to a scraper: `http://127.0.0.1:9464/metrics`."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/metrics"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Take no more scrapes; whoever is still connected is not waited for."""
        end_serving(self._server, self._thread, requests_s=0, loop_s=CLOSE_S)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listening(host, port)
    except EngineError as problem:
        rule = f"cannot be listened on: {getattr(problem.__cause__, 'strerror', None) or problem}"
        advice = "give another, or port 0 for a free one"
        raise SpecError([Problem("--prometheus", f"{host}:{port}", rule, advice)]) from None


def _guarded(application: WSGIApplication, host: str) -> WSGIApplication:
    """`application` for everybody but the web pages of others (`wire.access`).

    Whoever listens on more than loopback does so for scrapers that call this machine by names that are not known here.
    """
    access = Access(host, hosts=() if is_loopback(host) else ("*",))

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        http11 = environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        refused = access.refusal(environ_headers(environ), method=environ["REQUEST_METHOD"], http11=http11)
        if refused is None:
            return application(environ, start_response)
        status = "400 Bad Request" if refused.status == 400 else "403 Forbidden"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Metrics are for scrapers that call this server by its own address, not for web pages\n"]

    return guarded

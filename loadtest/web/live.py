"""The live page of one run: what it shows, who may stop it, and how it ends in the report.

    GET  /              the page                        GET  /events    its server-sent events
    GET  /sofar?windows=N   the report's sections so far, if they are of more windows than N
    GET  /report.html   the report, once there is one   POST /stop?token=...    ends the run in order

Pages of other sites, and names that are not this server's, are refused (`wire.access`); stopping takes the secret that
is in the printed address alone.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from loadtest.core.traffic.plan import Plan
from loadtest.report.html.render import render_live
from loadtest.serving import PAGE_HEADERS
from loadtest.web.feed import Feed
from loadtest.web.server import WebServer
from loadtest.wire.access import Access, environ_headers

__all__ = ["LivePage"]

FETCH_S = 15.0  # how long the end waits for browsers to take the report with them

Answer = tuple[str, str, bytes]


class LivePage:
    """Serves while a run of `plan` goes on. Called from the run's threads; a context manager that closes itself.

    title: what is run. host, port: where; port 0: a free one. about: job, label and info of its result. Raises
    EngineError if it cannot listen there.
    """

    def __init__(
        self,
        plan: Plan,
        title: str,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._feed = Feed(plan, about)
        self._token = secrets.token_urlsafe(16)
        self._stop: Callable[[], object] | None = None
        self._report: Path | None = None
        self._fetched = threading.Semaphore(0)
        self._access = Access(host)
        self._html, self.why = render_live(plan, title)
        self._server = WebServer(self.application, host, port)
        self.window, self.say = self._feed.window, self._feed.say

    @property
    def url(self) -> str:
        """What to open; whoever has it may stop the run."""
        return f"{self._server.url}/?token={self._token}"

    def __enter__(self) -> LivePage:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.end()
        self._server.close()

    def started(self, stop: Callable[[], object]) -> None:
        """The run is there. stop: asks it to end in order."""
        self._stop = stop

    def finish(self, sentences: Sequence[str], report: Path | None) -> None:
        """The run is over. sentences: of its result. report: its page, None: there is none. Returns once every browser
        that was watching has it, or did not ask for it in time."""
        self._report, self._stop = report, None
        watching = self._feed.readers
        self._feed.done(sentences, report=report is not None)
        until = time.monotonic() + FETCH_S
        if report is not None:
            for _ in range(watching):
                self._fetched.acquire(timeout=max(0.0, until - time.monotonic()))
            self._server.drain(until - time.monotonic())  # fetched is: given to the server, which sends as they read

    def application(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What the server serves, by WSGI."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if (refused := self._access.refusal(environ_headers(environ), method=method)) is not None:
            return _send(start_response, (f"{refused.status} Refused", "text/plain", refused.text.encode()))
        if (method, path) == ("GET", "/events"):
            start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
            return self._feed.read()
        if (method, path) == ("GET", "/report.html") and self._report is not None:
            return self._sent(_send(start_response, ("200 OK", "text/html; charset=utf-8", self._report.read_bytes())))
        return _send(start_response, self._answer(method, path, environ.get("QUERY_STRING", "")))

    def _answer(self, method: str, path: str, query: str) -> Answer:
        if (method, path) == ("GET", "/"):
            return "200 OK", "text/html; charset=utf-8", self._html.encode()
        if (method, path) == ("GET", "/sofar"):
            known = parse_qs(query).get("windows", [""])[0]
            found = self._feed.so_far(int(known) if known.isascii() and known.isdigit() else 0)
            return (
                ("204 No Content", "text/plain", b"")
                if found is None
                else ("200 OK", "application/json", found.encode())
            )
        if (method, path) == ("POST", "/stop"):
            given = parse_qs(query).get("token", [""])[0]
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return "403 Forbidden", "text/plain", b"the token of the printed address is needed\n"
            if self._stop is None:
                return "409 Conflict", "text/plain", b"there is nothing to stop\n"
            self._stop()
            return "202 Accepted", "text/plain", b"stopping\n"
        return "404 Not Found", "text/plain", b"there is no such page\n"

    def _sent(self, body: Iterable[bytes]) -> Iterator[bytes]:
        yield from body
        self._fetched.release()


def _send(start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
    status, kind, body = answer
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *PAGE_HEADERS])
    return [body]

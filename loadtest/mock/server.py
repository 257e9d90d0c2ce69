"""The mock endpoint's server: listens, watches deadlines, tells its statistics, ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import ssl
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from loadtest.endpoint.latency import LatencyModel, MockSettings
from loadtest.endpoint.samples import read_samples
from loadtest.errors import Problem, SpecError
from loadtest.loopback import is_loopback
from loadtest.mock.connection import ServerConnection
from loadtest.mock.runtime import Runtime
from loadtest.mock.stats import LatencyLog, Stats
from loadtest.mock.timer import new_event_loop, sharpen_timers
from loadtest.signals import heeded
from loadtest.wire.access import Access

__all__ = ["MockServer", "ServerOptions", "serve", "split_words"]

_BACKLOG = 4096  # so many users may connect in one instant; the kernel caps it at somaxconn
_GRACE_S = 1.0  # what answers under way get when the server is told to end


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how the mock endpoint listens.

    port 0: a free one. tls_cert, tls_key: PEM files; None: plain HTTP (tls_key None: the key is in tls_cert).
    until_stdin_closes: end at the end of file on stdin, so that it cannot outlive its parent.
    log: file for the latency of each success (LatencyLog); None: none.
    allow_origin, allow_host: pages and names that are let in besides loopback (wire.access), separated by commas.
    idle_timeout_s: of a connection without a request. request_timeout_s: from a request's first byte to its last.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_cert: str | None = None
    tls_key: str | None = None
    until_stdin_closes: bool = False
    log: str | None = None
    idle_timeout_s: float = 300.0
    request_timeout_s: float = 30.0
    allow_origin: str = ""
    allow_host: str = ""


class MockServer:
    """One mock endpoint on a running loop. Raises SpecError (samples) and OSError (log, TLS files, address)."""

    def __init__(self, settings: MockSettings, options: ServerOptions = ServerOptions()) -> None:
        samples_ms = read_samples(settings.samples) if settings.samples else ()
        self.options = options
        self.model = LatencyModel(settings, samples_ms)
        self.runtime = Runtime(
            settings, Access(options.host, split_words(options.allow_origin), split_words(options.allow_host))
        )
        self.stats = Stats()
        self.idle_timeout_s = options.idle_timeout_s
        self.request_timeout_s = options.request_timeout_s
        self.connections: set[ServerConnection] = set()
        self.stopping = False
        self._tls = _tls(options)
        self.log = LatencyLog(options.log) if options.log else None
        self.loop: asyncio.AbstractEventLoop
        self._listener: asyncio.Server
        self._sweeper: asyncio.Task[None]
        self._started_s = 0.0

    async def start(self) -> str:
        """Begin to listen; the URL without a path. Raises OSError if the address cannot be had."""
        self.loop = asyncio.get_running_loop()
        self._started_s = self.loop.time()
        options = self.options
        self._listener = await self.loop.create_server(
            lambda: ServerConnection(self),
            options.host,
            options.port,
            ssl=self._tls,
            ssl_handshake_timeout=options.request_timeout_s if self._tls else None,
            backlog=_BACKLOG,
        )
        self._sweeper = self.loop.create_task(self._sweep())
        host, port = self._listener.sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    async def stop(self) -> None:
        """Accept nothing more, finish the answers under way for a second at most, close everything."""
        self.stopping = True
        self._listener.close()
        deadline_s = self.loop.time() + _GRACE_S
        while self.connections and self.loop.time() < deadline_s:
            for connection in [one for one in self.connections if one.idle]:
                connection.close()
            await asyncio.sleep(0.005)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # connection_lost is called in the loop's next round
        self._sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeper
        if self.log is not None:
            self.log.close()

    async def statistics(self) -> bytes:
        """The document of GET /loadtest/stats, as JSON."""
        now_s = self.loop.time()
        settings = self.model.settings
        document: dict[str, Any] = {
            **self.stats.counters(),
            "waiting": self.model.waiting(now_s),
            "open_connections": len(self.connections),
            "servers": settings.servers,
            "utilisation": self.model.utilisation(now_s),
            "busy_s": self.model.busy_s(now_s),
            "uptime_s": now_s - self._started_s,
            "settings": settings.to_ref(),
            # In a thread: the first call loads numpy, which must not hold up the timers.
            **await self.loop.run_in_executor(None, self.stats.latencies.summary),
        }
        return json.dumps(document).encode()

    async def _sweep(self) -> None:
        """Close what is past its deadline, and write out the log."""
        every_s = max(0.01, min(1.0, self.idle_timeout_s / 4, self.request_timeout_s / 4))
        while True:
            await asyncio.sleep(every_s)
            now_s = self.loop.time()
            for connection in [one for one in self.connections if one.deadline_s <= now_s]:
                connection.expire()
            if self.log is not None:
                self.log.flush()


def serve(settings: MockSettings, options: ServerOptions = ServerOptions()) -> None:
    """Serve until SIGINT, SIGTERM or (if asked for) the end of stdin. The URL is the first line on stdout.

    Raises SpecError for samples or TLS files that cannot be used, OSError for an address or a log that cannot be had.
    """
    _raise_file_limit()
    sharpen_timers()
    server = MockServer(settings, options)
    loop = new_event_loop()
    try:
        loop.run_until_complete(_serve(server, options))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


async def _serve(server: MockServer, options: ServerOptions) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_report)
    end = asyncio.Event()
    for number in heeded("SIGINT", "SIGTERM", "SIGHUP"):
        loop.add_signal_handler(number, end.set)
    url = await server.start()
    print(url, flush=True)
    if not is_loopback(urlsplit(url).hostname or ""):
        print(f"warning: {url} can be reached from other machines, and asks nobody who they are", file=sys.stderr)
    if options.until_stdin_closes:
        _watch_stdin(loop, end)
    # What is loaded by now stays: without this, a full collection would pause every answer for some ms.
    gc.collect()
    gc.freeze()
    await end.wait()
    await server.stop()


def _watch_stdin(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    if sys.stdin is None:
        end.set()
        return
    fd = sys.stdin.fileno()

    def read() -> None:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(fd)
            end.set()

    try:
        loop.add_reader(fd, read)
    except OSError:  # epoll does not take files and /dev/null: their end is near anyway
        end.set()


def split_words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One line on stderr for what a client or a bug did to a connection; the server lives on."""
    problem = context.get("exception")
    detail = f": {type(problem).__name__}: {problem}" if problem is not None else ""
    print(f"mock endpoint: {context['message']}{detail}", file=sys.stderr, flush=True)


def _tls(options: ServerOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except ssl.SSLError as problem:
        where, rule = f"--tls-cert {options.tls_cert}", "holds no certificate with a key that fits"
        raise SpecError([Problem(where, str(problem), rule, "give PEM files; --tls-key if the key is apart")]) from None
    except OSError as problem:
        missing = options.tls_key if options.tls_key and os.path.exists(options.tls_cert) else options.tls_cert
        raise SpecError([Problem("--tls-cert, --tls-key", missing, f"cannot be read: {problem.strerror}")]) from None
    return context


def _raise_file_limit() -> None:
    """As many open connections as the system allows; the usual 1,024 are too few for a load test."""
    try:
        import resource  # not on every platform
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

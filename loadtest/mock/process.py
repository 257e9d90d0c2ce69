"""A mock endpoint as its parent holds it: a process of its own, started, found, always reaped."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import tempfile
import time
from http.client import HTTPException
from types import TracebackType
from typing import IO, Any
from urllib.error import URLError
from urllib.request import urlopen

from loadtest.endpoint.latency import MockSettings
from loadtest.errors import EngineError, words
from loadtest.mock.options import arguments
from loadtest.mock.server import ServerOptions
from loadtest.python import child_environment, python_command

__all__ = ["MockProcess"]

START_S = 20.0  # until the URL is there; a machine under load may need some seconds
END_S = 3.0  # from the end of its stdin to SIGTERM
TERM_S = 2.0  # from SIGTERM to SIGKILL
_LOG_LINES = 20


class MockProcess:
    """`python -m loadtest.mock` with these settings; a context manager, or `start` and `stop`.

    tls: PEM files (certificate chain, key). log: file for the server's own latencies. It runs in a session of its own,
    so that a terminal's Ctrl-C does not reach it, and ends when this process does: its stdin is a pipe from here.
    """

    def __init__(
        self,
        settings: MockSettings = MockSettings(),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: tuple[str, str] | None = None,
        log: str | None = None,
    ) -> None:
        cert, key = tls or (None, None)
        self.settings = settings
        self._options = ServerOptions(
            host=host, port=port, tls_cert=cert, tls_key=key, log=log, until_stdin_closes=True
        )
        self._popen: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._url = ""

    def start(self) -> MockProcess:
        """Start and wait until it listens. Raises EngineError, with what it wrote to stderr, if it does not."""
        if self._popen is not None:
            return self
        command = python_command("loadtest.mock", *arguments(self.settings, self._options))
        # A file, since nobody would empty a pipe while the endpoint serves.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=child_environment(secrets=False),
                start_new_session=True,
            )
        except OSError as problem:
            self._stderr.close()
            where = f"{problem.filename}: " if problem.filename else ""
            raise EngineError(f"the mock endpoint cannot be started: {where}{words(problem)}") from problem
        try:
            self._url = self._first_line()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it, in order if it lets itself; afterwards the process is gone. Harmless if it never ran."""
        process, self._popen = self._popen, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it is gone already
            process.stdin.close()
        if not _ended(process, END_S):
            process.terminate()
            if not _ended(process, TERM_S):
                process.kill()
                process.wait()
        process.stdout.close()
        if self._stderr is not None:
            self._stderr.close()

    def __enter__(self) -> MockProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a path. Raises EngineError if it is not running."""
        self._running()
        return self._url

    @property
    def pid(self) -> int:
        """Raises EngineError if it is not running."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """It was started, not stopped, and has not ended by itself."""
        return self._popen is not None and self._popen.poll() is None

    def statistics(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """GET /loadtest/stats (plain HTTP endpoints only). Raises EngineError if there is no answer."""
        try:
            with urlopen(f"{self.url}/loadtest/stats", timeout=timeout_s) as answer:
                found: dict[str, Any] = json.load(answer)
        except (URLError, OSError, HTTPException, ValueError) as problem:
            raise EngineError(f"the mock endpoint does not tell its statistics: {words(problem)}") from problem
        return found

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise EngineError("the mock endpoint is not running")
        return self._popen

    def _first_line(self) -> str:
        process = self._running()
        assert process.stdout is not None
        line = b""
        until_s = time.monotonic() + START_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    raise EngineError(f"the mock endpoint did not listen within {START_S:g} s{self._last_words()}")
                data = os.read(process.stdout.fileno(), 4096)
                if not data:
                    raise EngineError(f"the mock endpoint ended before it listened{self._last_words()}")
                line += data
        return line.split(b"\n")[0].decode().strip()

    def _last_words(self) -> str:
        assert self._stderr is not None
        if self._popen is not None:
            _ended(self._popen, 0.5)
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        return "".join(f"\n  {line}" for line in lines)


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True

"""A generator process as its parent holds it: started, spoken to, watched, always reaped. No gevent here."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import IO, Any

from loadtest.engine.awake import Awake
from loadtest.engine.messages import CHILD_KINDS, KEYS_FOLLOW, MessageLines, encode
from loadtest.errors import EngineError, words
from loadtest.python import child_environment, python_command, without_secrets

__all__ = ["TERM_S", "GeneratorProcess"]

LOG_LINES = 200  # of the child's stderr, the newest
TERM_S = 5.0  # from "end" to SIGKILL
LOOK_S = 0.5
MOST_S = 2.0  # between two looks; longer, and this process was stopped


class GeneratorProcess:
    """`python -m loadtest.engine.generator.child`. env: added to the child's environment. aws: it gets our AWS keys.

    Keys go to its stdin, and not into the environment that `ps` and /proc show.
    It runs in a session of its own, so that a terminal's Ctrl-C reaches the parent alone, and its stdin is a pipe that
    only this process holds: when we die, it sees the end of file and ends.
    Raises EngineError if it cannot be started.
    """

    def __init__(self, *arguments: str, env: Mapping[str, str] | None = None, aws: bool = True) -> None:
        own = {"PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self._awake = Awake(time.monotonic, MOST_S)
        self._silent_since_s = 0.0
        shown, secret = without_secrets(child_environment({**own, **(env or {})}, aws=aws))
        try:
            self._popen = subprocess.Popen(
                python_command("loadtest.engine.generator.child", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**shown, KEYS_FOLLOW: "1"},
                start_new_session=True,
            )
        except OSError as problem:
            where = f"{problem.filename}: " if problem.filename else ""
            raise EngineError(f"the generator process cannot be started: {where}{words(problem)}") from problem
        self.send("keys", values=secret)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def silent_s(self) -> float:
        """How long it has said nothing to us, who may have been stopped meanwhile."""
        return self._awake.now_s - self._silent_since_s

    @property
    def watched_s(self) -> float:
        """How long `messages` has been listening."""
        return self._awake.now_s

    def send(self, kind: str, **members: Any) -> None:
        """Send a message; a process that is gone already is no error, its end is seen by `messages`."""
        try:
            stdin = self._pipe(self._popen.stdin)
            stdin.write(encode(kind, **members))
            stdin.flush()
        except (OSError, ValueError):
            pass

    def messages(self) -> Iterator[Mapping[str, Any] | None]:
        """What the process says, until it closes its pipes; None at least twice a second, so that time can be watched.

        Raises EngineError if it says something that is not a message.
        """
        lines, unended = MessageLines(CHILD_KINDS), b""
        with selectors.DefaultSelector() as selector:
            for pipe in (self._popen.stdout, self._popen.stderr):
                selector.register(self._pipe(pipe), selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(LOOK_S)
                self._awake.look()
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        selector.unregister(key.fileobj)
                    if key.fileobj is self._popen.stderr:
                        # A traceback comes in pieces: what follows the last line end waits for the next one.
                        whole, end, unended = (unended + data).rpartition(b"\n") if data else (unended, b"", b"")
                        self.log.extend((whole + end).decode("utf-8", "replace").splitlines())
                    elif data:
                        self._silent_since_s = self._awake.now_s
                        yield from lines.feed(data)
                yield None

    def kill(self) -> None:
        """End it and whatever it started, at once. Not once it was reaped: its number may be another's by then."""
        if self._popen.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def close(self) -> int:
        """Close our ends and reap it, by force if need be. Returns its exit code (negative: a signal)."""
        with contextlib.suppress(OSError):
            self._pipe(self._popen.stdin).close()
        try:
            self._popen.wait(TERM_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._popen.wait()
        for pipe in (self._popen.stdout, self._popen.stderr):
            self._pipe(pipe).close()
        return self._popen.returncode

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # Popen was given PIPE for all three
        return pipe

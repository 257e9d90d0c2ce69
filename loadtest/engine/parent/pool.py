"""The worker processes that a run starts on this machine, as their parent holds them. No gevent here."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from loadtest.engine.messages import failure_text
from loadtest.engine.parent.process import TERM_S, GeneratorProcess
from loadtest.errors import EngineError, words

__all__ = ["WorkerPool"]

LAST_LINES = 3  # of a fallen worker's log


class WorkerPool:
    """Context manager: whoever was started is told to end and reaped on leaving. env, aws: as of GeneratorProcess."""

    def __init__(self, env: Mapping[str, str], *, aws: bool = True) -> None:
        self._env = env
        self._aws = aws
        self._workers: list[GeneratorProcess] = []
        self._listeners: list[threading.Thread] = []
        self._fallen: list[str] = []
        self._killed = False

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.send("stop")
        until_s = time.monotonic() + TERM_S
        # The listeners own the pipes until they have seen the end of file.
        for worker, listener in zip(self._workers, self._listeners, strict=True):
            listener.join(max(0.0, until_s - time.monotonic()))
            if listener.is_alive():
                worker.kill()
                listener.join()

    def start(self, count: int, port: int) -> None:
        """Start `count` workers that join the master at `port` of this machine."""
        for number in range(count):
            if self._killed:
                return
            worker = GeneratorProcess("worker", "127.0.0.1", str(port), env=self._env, aws=self._aws)
            listener = threading.Thread(
                target=self._listen, args=(number, worker), name=f"loadtest-worker-{number}", daemon=True
            )
            self._workers.append(worker)
            self._listeners.append(listener)
            listener.start()
            if self._killed:
                worker.kill()

    def kill(self) -> None:
        """End them at once."""
        self._killed = True
        for worker in self._workers:
            worker.kill()

    def fallen(self) -> Sequence[str]:
        """Of each worker that ended with an error: what is known of it."""
        return tuple(self._fallen)

    def _listen(self, number: int, worker: GeneratorProcess) -> None:
        said = ""
        try:
            for message in worker.messages():
                if message is not None and message["kind"] == "failed":
                    said = failure_text(message)
        except (EngineError, OSError, ValueError) as problem:
            said = words(problem)
        code = worker.close()
        if (said or code) and not self._killed:
            ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}" if code else "gave up"
            last = said or "; ".join(list(worker.log)[-LAST_LINES:])
            self._fallen.append(f"worker process {number} (pid {worker.pid}) {ended}" + (f": {last}" if last else ""))

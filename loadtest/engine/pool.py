"""The worker processes that a run starts on this machine, as their parent holds them. No gevent here."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from loadtest.engine.process import TERM_S, GeneratorProcess
from loadtest.errors import EngineError

__all__ = ["WorkerPool"]


class WorkerPool:
    """Context manager: whoever was started is told to end and reaped on leaving. env: added to their environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._workers: list[GeneratorProcess] = []
        self._listeners: list[threading.Thread] = []
        self._ended: list[str] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.send("stop")
        # The listeners own the pipes until they have seen the end of file.
        for worker, listener in zip(self._workers, self._listeners, strict=True):
            listener.join(TERM_S)
            if listener.is_alive():
                worker.kill()
                listener.join()
            worker.close()

    def start(self, count: int, port: int) -> None:
        """Start `count` workers that join the master at `port` of this machine."""
        for number in range(count):
            worker = GeneratorProcess("worker", "127.0.0.1", str(port), env=self._env)
            self._workers.append(worker)
            name = f"loadtest-worker-{number}"
            listener = threading.Thread(target=self._listen, args=(worker,), name=name, daemon=True)
            self._listeners.append(listener)
            listener.start()

    def broken(self) -> str:
        """What a worker said that ended before the run began; "" if none did."""
        return self._ended[0] if self._ended else ""

    def _listen(self, worker: GeneratorProcess) -> None:
        said = ""
        try:
            for message in worker.messages():
                if message is not None and message["kind"] == "failed":
                    said = "; ".join(message["problems"])
        except (EngineError, OSError, ValueError) as problem:
            said = str(problem)
        self._ended.append(said or "; ".join(list(worker.log)[-3:]) or "a worker process ended")

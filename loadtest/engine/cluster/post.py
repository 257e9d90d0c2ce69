"""The letters of a run's master: from strangers as few as can be read, to and from its workers sealed.

Locust's runner carries them. What it does with letters of its own (a worker is ready, or beats) stays with it.
Runs in a patched process only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from gevent.queue import Empty, Queue

from loadtest.engine.cluster.runners import listen_for_workers
from loadtest.engine.cluster.seal import Seal

__all__ = ["STRANGERS", "Letter", "Post"]

STRANGERS = ("loadtest_hello", "loadtest_proof")  # what is read without a seal
WORKERS = tuple(f"loadtest_{kind}" for kind in ("ready", "clock", "window", "drained", "cut", "failed"))
MOST_FROM_STRANGERS = 1000  # letters that wait
MOST = 100_000
MISSING = "missing"  # locust.runners.STATE_MISSING: three heartbeats of a second without a sign

Letter = tuple[str, str, Any, float]  # kind, client, data, epoch seconds of its arrival


class Post:
    """Listens at `host` and `port` (0: any free one). Raises SpecError if it cannot."""

    def __init__(self, host: str, port: int) -> None:
        self._runner = listen_for_workers(host, port)
        self._inbox: Queue[Letter] = Queue()
        self._seals: dict[str, Seal] = {}
        for kind in STRANGERS + WORKERS:
            self._runner.register_message(kind, self._receive)

    @property
    def port(self) -> int:
        return int(self._runner.server.port)

    def trust(self, client_id: str, seal: Seal) -> None:
        """Whatever is said to and by this client is sealed from now on."""
        self._seals[client_id] = seal

    def is_gone(self, client_id: str) -> bool:
        """It has fallen silent, or has said that it leaves."""
        node = self._runner.clients.get(client_id)
        return node is None or node.state == MISSING

    def send(self, kind: str, data: Any, client_id: str) -> None:
        """Send `loadtest_KIND`: sealed to whom is trusted."""
        seal = self._seals.get(client_id)
        name = f"loadtest_{kind}"
        self._runner.send_message(name, data if seal is None else seal.close(name, data), client_id)

    def dismiss(self, client_id: str, why: str) -> None:
        """Send a client home."""
        self.send("quit", {"why": why}, client_id)

    def arrived(self, timeout_s: float) -> Iterator[Letter]:
        """Everything that has arrived; waits at most `timeout_s` for the first."""
        try:
            letter = self._inbox.get(timeout=timeout_s)
            while True:
                yield letter
                letter = self._inbox.get_nowait()
        except Empty:
            pass

    def opened(self, letter: Letter) -> Any:
        """What a trusted client wrote. Raises ValueError if it did not."""
        kind, client_id, data, _ = letter
        seal = self._seals.get(client_id)
        if seal is None:
            raise ValueError("it has no seal")
        return seal.open(kind, data)

    def _receive(self, environment: Any, msg: Any, **_: Any) -> None:
        most = MOST if msg.node_id in self._seals else MOST_FROM_STRANGERS
        if self._inbox.qsize() < most:
            self._inbox.put((msg.type, msg.node_id, msg.data, time.time()))

"""Messages to any number of readers, each at its own pace: the server-sent events of a live page.

A reader that falls behind loses its place and is told everything anew; it never makes the sender wait.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Broadcast"]

WAITING = 200  # messages that a reader may be behind
BEAT_S = 1.0  # how soon a reader that left is noticed


class Broadcast:
    """Tells any number of readers the same. history: what a reader is told first; called under the lock of `send`, so
    nothing is missed or doubled.
    """

    def __init__(self, history: Callable[[], Any]) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._readers: set[queue.Queue[bytes | None]] = set()
        self._ended = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    def send(self, name: str, make: Callable[[], Any]) -> None:
        """Tell all readers. make: the message, made under the lock."""
        with self._lock:
            message = _event(name, make())
            for reader in list(self._readers):
                try:
                    reader.put_nowait(message)
                except queue.Full:
                    self._readers.discard(reader)
                    _drain(reader)

    def end(self) -> None:
        """No more messages: every reader's stream ends."""
        with self._lock:
            self._ended = True
            for reader in self._readers:
                _drain(reader) if reader.full() else reader.put_nowait(None)

    def read(self) -> Iterator[bytes]:
        """One reader's stream of server-sent events."""
        reader: queue.Queue[bytes | None] = queue.Queue(WAITING)
        with self._lock:
            yield_first = _event("history", self._history())
            if not self._ended:
                self._readers.add(reader)
            else:
                reader.put_nowait(None)
        try:
            yield b"retry: 1000\n\n"
            yield yield_first
            while True:
                try:
                    message = reader.get(timeout=BEAT_S)
                except queue.Empty:
                    yield b": still here\n\n"
                    continue
                if message is None:
                    return
                yield message
        finally:
            with self._lock:
                self._readers.discard(reader)


def _drain(reader: queue.Queue[bytes | None]) -> None:
    """Its stream ends at once; the browser connects again and is told everything."""
    while not reader.empty():
        reader.get_nowait()
    reader.put_nowait(None)


def _event(name: str, value: Any) -> bytes:
    # JSON without line breaks: an event's data is one line.
    return f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'), allow_nan=False)}\n\n".encode()

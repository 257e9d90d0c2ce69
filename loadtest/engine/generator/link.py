"""The child's line to its parent, on native threads: the event loop never waits for a pipe, and a blocked
event loop cannot hide.

Two threads that gevent did not patch. The writer empties a queue onto the pipe. The watcher reads commands, notices
the parent's death (end of file) and a loop that has stopped turning (the target blocks it), and ends the process
when nobody else can. gevent's patches make this module's `time`, `select` and `queue` cooperative, so it takes the
originals.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from typing import Any

import gevent
from gevent import monkey

from loadtest.engine.awake import Awake
from loadtest.engine.messages import PARENT_KINDS, MessageLines, encode, failure
from loadtest.errors import TargetError

__all__ = ["STUCK_S", "Link"]

# A loop that has not turned for this long is blocked for good.
STUCK_S = float(os.environ.get("LOADTEST_BLOCKED_LIMIT_S", "15"))
ORPHAN_S = 5.0  # an orphan that has not ended itself by then is ended
BEAT_S = 0.1
LOOK_S = 0.25  # how often the watcher looks

_start_thread = monkey.get_original("_thread", "start_new_thread")
_allocate_lock = monkey.get_original("_thread", "allocate_lock")
_select = monkey.get_original("select", "select")
_monotonic = monkey.get_original("time", "monotonic")
_SimpleQueue = monkey.get_original("queue", "SimpleQueue")


class Link:
    """Messages out, commands in.

    commands: what the parent sent, oldest first, emptied by the reader; `arrived` is set (an event of the loop) when
        there is one. The kind "orphaned" is the parent's death.
    beat(): the loop calls it regularly to show that it turns.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.commands: deque[Mapping[str, Any]] = deque()
        self.arrived = gevent.event.Event()
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._outgoing = _SimpleQueue()
        self._written = _allocate_lock()
        self._written.acquire()
        self._beats = 0
        self._closing = False
        self._orphaned_s: float | None = None
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self.arrived.set)
        _start_thread(self._write, ())
        _start_thread(self._watch, ())

    def send(self, kind: str, **members: Any) -> None:
        """Queue a message; returns at once."""
        self._outgoing.put(encode(kind, **members))

    def beat(self) -> None:
        self._beats += 1

    def keep_beating(self) -> None:
        """For a greenlet of its own: the loop turns as long as that is woken."""
        while True:
            self.beat()
            gevent.sleep(BEAT_S)

    def close(self) -> None:
        """Wait until everything queued is with the parent, or the parent is gone."""
        self._closing = True
        self._outgoing.put(None)
        self._written.acquire()

    def _write(self) -> None:
        try:
            while (data := self._outgoing.get()) is not None:
                while data:
                    data = data[os.write(self._write_fd, data) :]
        except OSError:
            pass  # the parent has closed its end: nobody reads any more
        finally:
            self._written.release()

    def _watch(self) -> None:
        lines = MessageLines(PARENT_KINDS)
        awake, beats, turned_s = Awake(_monotonic), 0, 0.0
        while not self._closing:
            readable = self._orphaned_s is None and _select([self._read_fd], [], [], LOOK_S)[0]
            if self._orphaned_s is not None:
                _select([], [], [], LOOK_S)
            now_s = awake.look()
            if beats != self._beats:
                beats, turned_s = self._beats, now_s
            if readable:
                data = os.read(self._read_fd, 65536)
                if data:
                    self.commands.extend(lines.feed(data))
                else:
                    self._orphaned_s = now_s
                    self.commands.append({"kind": "orphaned"})
                self._wake.send()
            if self._orphaned_s is not None and now_s - self._orphaned_s > ORPHAN_S:
                os._exit(70)
            if now_s - turned_s > STUCK_S and not self._closing:
                self._report_stuck(now_s - turned_s)

    def _report_stuck(self, for_s: float) -> None:
        text = f"the event loop did not turn for {for_s:.0f} s: the target blocks it without yielding"
        _select([], [self._write_fd], [], 1.0)
        os.write(self._write_fd, encode("failed", **failure(TargetError(text))))
        os._exit(71)

"""Which connections have an answer, and when their next requests leave. One poller for each event loop.

Readiness comes from an epoll of its own, nested in gevent's loop: the loop sees one descriptor, and a turn costs two
system calls however many connections are ready. A turn reads every answer first and then sends every request that
follows from them. Sent one by one between the reads, each request finds the server asleep again and wakes it, which
costs the sender more than all the rest of an exchange (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gevent import get_hub

from loadtest.targets.http.system import SYSTEM

__all__ = ["Poller", "Sender", "poller_here"]

_READ = 1  # EPOLLIN; of libev's events too
_TURN = 64  # answers read in one turn: the last of them waits for as many sends until its next request leaves

_pollers: dict[Any, Poller] = {}


class Sender(Protocol):
    """Has a request to send at the end of a turn.

    transmit: send it; must not wait, must not raise. False: it did not work out, and `wake` is called.
    """

    wake: Callable[[], object]

    def transmit(self) -> bool: ...


class Poller:
    """Waits for the sockets of all users at once.

    epoll: makes one; None: there is none, and each connection has a watcher of the loop.
    handlers: what to call, in the hub, while a descriptor is readable; it must not wait.
    serving: a turn is on. outgoing: who sends when it ends.
    """

    def __init__(self, loop: Any, epoll: Callable[[], Any] | None) -> None:
        self.serving = False
        self.handlers: dict[int, Callable[[], object]] = {}
        self.outgoing: list[Sender] = []
        self._loop = loop
        self._watchers: dict[int, Any] = {}
        self._epoll: Any = None if epoll is None else epoll()
        if self._epoll is not None:
            self._watch(self._epoll.fileno(), self._turn)

    def add(self, descriptor: int, handler: Callable[[], object]) -> None:
        """Call `handler` whenever there is something to read, until `remove`."""
        self.handlers[descriptor] = handler
        if self._epoll is not None:
            self._epoll.register(descriptor, _READ)
        else:
            self._watch(descriptor, lambda: self.serve([(descriptor, _READ)]))

    def remove(self, descriptor: int) -> None:
        """Before it is closed. The poller ends with its last descriptor."""
        del self.handlers[descriptor]
        if self._epoll is not None:
            self._epoll.unregister(descriptor)
        else:
            self._unwatch(descriptor)
        if not self.handlers:
            del _pollers[self._loop]
            for watched in list(self._watchers):
                self._unwatch(watched)
            if self._epoll is not None:
                self._epoll.close()

    def _turn(self) -> None:
        self.serve(self._epoll.poll(0, _TURN))

    def serve(self, readable: list[tuple[int, int]]) -> None:
        """A turn, in the hub: read what is there for each (descriptor, events), then send all that follows."""
        handlers, outgoing = self.handlers, self.outgoing
        self.serving = True
        try:
            for descriptor, _ in readable:
                # One that was served before it may have closed this one.
                handler = handlers.get(descriptor)
                if handler is not None:
                    handler()
        finally:
            while outgoing:
                leaving = outgoing[:]
                outgoing.clear()
                for sender in leaving:
                    if not sender.transmit():
                        sender.wake()
            self.serving = False

    def _watch(self, descriptor: int, call: Callable[[], object]) -> None:
        watcher = self._watchers[descriptor] = self._loop.io(descriptor, _READ)
        watcher.start(call)

    def _unwatch(self, descriptor: int) -> None:
        watcher = self._watchers.pop(descriptor)
        watcher.stop()
        watcher.close()


def poller_here(epoll: Callable[[], Any] | None = SYSTEM.epoll) -> Poller:
    """The poller of this thread's event loop, for an `add` that follows at once. epoll: of one that is made."""
    loop = get_hub().loop
    found = _pollers.get(loop)
    if found is None:
        found = _pollers[loop] = Poller(loop, epoll)
    return found

"""How one invocation is made: the protocol every target keeps, and the one door to them, `open_target`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from loadtest.core.measure.outcome import Kind, Outcome

__all__ = ["KnownTarget", "Listener", "Payload", "PerUserTarget", "RepeatingTarget", "Target", "raised"]


@dataclass(frozen=True, slots=True)
class Payload:
    """One request body and its Content-Type. name: the file it came from, for messages."""

    body: bytes
    content_type: str = "application/json"
    name: str = ""


@runtime_checkable
class Target(Protocol):
    """Something that can be invoked.

    invoke: one request, from send to the last byte of the answer. Never raises for what the service or the
        network does: that is an `Outcome` of a failure kind. Called by one greenlet of a gevent-patched process.
    close: frees what the target holds; called once.
    """

    def invoke(self, payload: Payload) -> Outcome: ...

    def close(self) -> None: ...


@runtime_checkable
class PerUserTarget(Target, Protocol):
    """A target of which every user gets its own (one connection each).

    for_user: a Target for one user that shares what can be shared (credentials, templates); cheap, no I/O.
    """

    def for_user(self) -> Target: ...


@runtime_checkable
class KnownTarget(Target, Protocol):
    """A target that can say where its requests go, for the result. facts: JSON values; no credentials, no query."""

    facts: Mapping[str, str]


def raised(problem: Exception, sent_ns: int, done_ns: int) -> Outcome:
    """What a target that raises came to, which the contract forbids: shown as a kind of failure of its own."""
    detail = f"{type(problem).__name__}: {problem}"[:200]
    return Outcome(Kind.EXCEPTION, 0, 0, sent_ns, done_ns, done_ns, None, detail)


class Listener(Protocol):
    """Hears the outcomes of a `RepeatingTarget`, and says after each whether another invocation is to follow.

    answered: a success that was not streamed and came in one piece, in the fields of its Outcome (first_byte_ns is
        done_ns). ended: any other outcome.
    """

    def answered(
        self,
        status: int,
        bytes_in: int,
        sent_ns: int,
        done_ns: int,
        model_latency_us: int | None,
        kernel_clock: bool,
    ) -> bool: ...

    def ended(self, outcome: Outcome) -> bool: ...


@runtime_checkable
class RepeatingTarget(Target, Protocol):
    """A target that can make one invocation after another faster than its caller could ask for them.

    invoke_repeatedly: invoke what `next_payload()` gives, tell `listener`, and so on until it says that it is enough.
        Neither may wait: they may be called from the event loop's hub. What they raise comes out of it.
    """

    def invoke_repeatedly(self, next_payload: Callable[[], Payload], listener: Listener) -> None: ...

"""The parts of a streamed answer: when each came, how many bytes they hold, and whether the stream failed."""

from __future__ import annotations

import json
from typing import Protocol

from loadtest.core.measure.outcome import Kind
from loadtest.targets.classify import classify_event
from loadtest.wire.eventstream import EventFrame, FrameDecoder

__all__ = ["EventParts", "Parts", "ReadParts"]


class Parts(Protocol):
    """What one streamed answer consists of; `begin` before each answer.

    times_ns: when each part was complete, CLOCK_REALTIME. bytes_in: the parts' payload.
    """

    times_ns: list[int]
    bytes_in: int

    def begin(self) -> None:
        """Expect the next answer."""
        ...

    def add(self, data: bytes, at_ns: int) -> None:
        """Bytes of the body, and when they came."""
        ...

    def failure(self) -> tuple[Kind, str] | None:
        """(kind, detail) if the stream as a whole is a failure, asked after its end."""


class ReadParts:
    """A body without a structure that we know: each arrival is a part."""

    __slots__ = ("bytes_in", "times_ns")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.times_ns: list[int] = []
        self.bytes_in = 0

    def add(self, data: bytes, at_ns: int) -> None:
        if data:
            self.times_ns.append(at_ns)
            self.bytes_in += len(data)

    def failure(self) -> tuple[Kind, str] | None:
        return None


class EventParts:
    """The PayloadPart events of InvokeEndpointWithResponseStream; exception and error frames make it a failure."""

    __slots__ = ("_decoder", "_failure", "bytes_in", "times_ns")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.times_ns: list[int] = []
        self.bytes_in = 0
        self._decoder = FrameDecoder()
        self._failure: tuple[Kind, str] | None = None

    def add(self, data: bytes, at_ns: int) -> None:
        if self._failure is not None:
            return
        try:
            frames = self._decoder.feed(data)
        except ValueError:
            self._failure = Kind.MALFORMED, "event stream"
            return
        for frame in frames:
            if frame.failure is not None:
                self._failure = classify_event(frame.failure, _error_code(frame))
                return
            if frame.event_type == "PayloadPart":
                self.times_ns.append(at_ns)
                self.bytes_in += len(frame.payload)

    def failure(self) -> tuple[Kind, str] | None:
        if self._failure is None and self._decoder.pending_bytes:
            return Kind.MALFORMED, "truncated"
        return self._failure


def _error_code(frame: EventFrame) -> str | None:
    try:
        members = json.loads(frame.payload)
    except (ValueError, RecursionError):
        return None
    code = members.get("ErrorCode") if isinstance(members, dict) else None
    return code if isinstance(code, str) else None

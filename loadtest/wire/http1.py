"""HTTP/1.1 responses, bytes in, verdict out. No socket, no clock (RFC 9110, RFC 9112).

A `ResponseParser` takes an answer in pieces of any size and says when it is complete. Whatever the pieces, the
verdict is the same; what is not HTTP is a `fault`, never an exception.

    HEAD --> LENGTH ----------------------------> DONE
     | ^     CHUNK_SIZE -> CHUNK_DATA -> ... -> TRAILERS -> DONE
     1xx     UNTIL_CLOSE --(end of stream)------> DONE          anything wrong: DONE with a fault
"""

from __future__ import annotations

import enum
import re

from loadtest.wire.head import FOLD, MAX_HEAD_BYTES, TEXT, TOKEN, Head, HeadReader

__all__ = ["KEPT_BYTES", "MAX_HEAD_BYTES", "MAX_INTERIM", "ResponseParser"]

MAX_INTERIM = 32  # 1xx answers before the final one
KEPT_BYTES = 64 * 1024  # of the body of an answer that is not 2xx: its beginning, and its end if it is longer
_KEPT_END_BYTES = 4 * 1024  # SageMaker writes the container's message first and its status last
_MAX_SIZE_LINE_BYTES = 4 * 1024

_START = b"HTTP/1."
_BARE_LF = re.compile(rb"(?<!\r)\n")
_TRAILERS = re.compile(rb"(?:" + TOKEN + rb":" + TEXT + rb"\r\n)*\r\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;" + TEXT + rb")?")
_SIZE_SO_FAR = re.compile(rb"[0-9A-Fa-f]{0,15}|[0-9A-Fa-f]{1,15}[ \t]*(?:;" + TEXT + rb")?\r?")
_NO_HEAD = Head()


class _State(enum.Enum):
    START = enum.auto()  # nothing received
    HEAD = enum.auto()
    LENGTH = enum.auto()
    CHUNK_SIZE = enum.auto()
    CHUNK_DATA = enum.auto()
    CHUNK_END = enum.auto()
    TRAILERS = enum.auto()
    UNTIL_CLOSE = enum.auto()
    DONE = enum.auto()


_START_STATE, _DONE_STATE = _State.START, _State.DONE  # names that the fast path finds in one step


class ResponseParser:
    """Reads one response after another from one connection; `reset` before each.

    feed(data), eof(): true when the response is complete or faulty. Then, until `reset`:
    head: its Head; of 1xx answers only the final one's. fault: why it is malformed, "" if it is not.
    body_bytes: received, chunk framing taken off. reusable: the connection can take another request.

    heads: reads heads and remembers them, to be shared by all connections to one server. keep: hold the body of 2xx
    answers until `take`; of others only 64 KiB are held, the last 4 of them from the body's end. connect: the request
    was CONNECT, whose 2xx answer has no body whatever its head says.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_connect",
        "_held",
        "_interim",
        "_keep",
        "_kept_bytes",
        "_known",
        "_left",
        "_raw",
        "_read",
        "_special",
        "_state",
        "_whole",
        "body_bytes",
        "fault",
        "head",
        "reusable",
    )

    def __init__(self, heads: HeadReader | None = None, *, keep: bool = False, connect: bool = False) -> None:
        reader = heads or HeadReader()
        self._known, self._read, self._whole = reader.heads.get, reader.read, reader.whole
        self._keep = keep
        self._connect = connect
        self._special = keep or connect
        self._begin()
        self.reset()

    def reset(self) -> None:
        """Expect the next response."""
        self._state = _START_STATE

    def _begin(self) -> None:
        self._state = _State.HEAD
        self._buffer = self._raw = b""
        self._at = self._interim = self._left = self._kept_bytes = self.body_bytes = 0
        self._held: list[bytes] = []
        self.head = _NO_HEAD
        self.fault = ""
        self.reusable = False

    def _is_whole(self, data: bytes) -> bool:
        """The common case, fast: `data` is all of an ordinary answer; else nothing has happened."""
        head = None if self._special else self._whole(data)
        if head is None:
            return False
        self.head = head
        self.body_bytes = head.length
        self.reusable = True
        self.fault = ""
        self._raw = data[: len(data) - head.length]
        self._held = []
        self._state = _DONE_STATE
        return True

    def feed(self, data: bytes) -> bool:
        """Take the bytes of one read. The end of the stream is not an empty read but `eof`."""
        if self._state is _START_STATE:
            if self._is_whole(data):
                return True
            self._begin()
        self._buffer = self._buffer + data if self._buffer else data
        step = _STEPS.get(self._state)
        while step is not None and step(self):
            step = _STEPS.get(self._state)
        self._buffer = self._buffer[self._at :]
        self._at = 0
        if self._state is not _DONE_STATE:
            return False
        if self._buffer:
            self.reusable = False  # bytes that nobody asked for: whose answer would come next?
        return True

    def eof(self) -> bool:
        """The stream ended. False: in the middle of the response, or before it (`started`)."""
        if self._state is _State.UNTIL_CLOSE:
            self._state = _DONE_STATE
        return self._state is _DONE_STATE

    @property
    def started(self) -> bool:
        """Bytes of this response were received."""
        return self._state is not _START_STATE

    def take(self) -> bytes:
        """The body bytes held since the last `take`."""
        body = b"".join(self._held)
        self._held.clear()
        return body

    def headers(self) -> dict[str, str]:
        """The head's header fields by lower-case name; of repeated ones the last."""
        lines = FOLD.sub(b" ", self._raw).decode("latin-1").split("\r\n")[1:-2]
        pairs = (line.partition(":") for line in lines)
        return {name.lower(): value.strip(" \t") for name, _, value in pairs}

    def _fail(self, fault: str) -> bool:
        self.fault = fault
        self.reusable = False
        self._state = _DONE_STATE
        return False

    def _finish(self) -> bool:
        self.reusable = not self.head.close
        self._state = _DONE_STATE
        return False

    def _hold(self, data: bytes) -> None:
        self.body_bytes += len(data)
        if 200 <= self.head.status < 300:
            if self._keep:
                self._held.append(data)
        elif self._kept_bytes + len(data) <= KEPT_BYTES:
            self._kept_bytes += len(data)
            self._held.append(data)
        else:
            self._hold_ends(data)

    def _hold_ends(self, data: bytes) -> None:
        """More than is kept: the middle goes, so that two pieces are held."""
        if self._kept_bytes <= KEPT_BYTES:
            whole = b"".join((*self._held, data))
            self._held = [whole[: KEPT_BYTES - _KEPT_END_BYTES], whole[-_KEPT_END_BYTES:]]
            self._kept_bytes = KEPT_BYTES + 1
        else:
            self._held[1] = (self._held[1] + data)[-_KEPT_END_BYTES:]

    # Each step takes what it can from the buffer; true: it got somewhere, so the next step may go on.

    def _at_head(self) -> bool:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n\r\n", at) + 4
        if end < 4 or end - at > MAX_HEAD_BYTES:
            if not buffer.startswith(_START[: len(buffer) - at], at) or _BARE_LF.search(buffer, at):
                return self._fail("bad head")
            return len(buffer) - at > MAX_HEAD_BYTES and self._fail("head too long")
        raw = buffer[at:end]
        self._at = end
        head = self._known(raw) or self._read(raw)
        if head.fault:
            return self._fail(head.fault)
        if head.status < 200:
            self._interim += 1
            # 101 changes the protocol, which nobody asked for.
            return (head.status != 101 and self._interim <= MAX_INTERIM) or self._fail("unexpected 1xx")
        self.head, self._raw = head, raw
        return self._choose_body()

    def _choose_body(self) -> bool:
        """How the body is delimited (RFC 9112, 6.3)."""
        head = self.head
        if self._connect and head.status < 300:
            self.reusable = True  # as a tunnel, whatever the head says of HTTP connections
            self._state = _DONE_STATE
            return False
        if head.status in (204, 304):
            return self._finish()
        if head.chunked:
            self._state = _State.CHUNK_SIZE
        elif head.length == 0:
            return self._finish()
        elif head.length > 0:
            self._left = head.length
            self._state = _State.LENGTH
        else:
            self._state = _State.UNTIL_CLOSE
        return True

    def _at_body(self) -> bool:
        data = self._buffer[self._at : self._at + self._left]
        self._at += len(data)
        self._left -= len(data)
        self._hold(data)
        if self._left:
            return False
        if self._state is _State.LENGTH:
            return self._finish()
        self._state = _State.CHUNK_END
        return True

    def _at_chunk_size(self) -> bool:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n", at)
        stop = len(buffer) if end < 0 else end
        match = (_SIZE_SO_FAR if end < 0 else _SIZE).fullmatch(buffer, at, stop)
        if match is None or stop - at > _MAX_SIZE_LINE_BYTES:
            return self._fail("bad chunk")
        if end < 0:
            return False
        self._at = end + 2
        self._left = int(match[1], 16)
        self._state = _State.CHUNK_DATA if self._left else _State.TRAILERS
        return True

    def _at_chunk_end(self) -> bool:
        found = self._buffer[self._at : self._at + 2]
        if found != b"\r\n":
            return found not in (b"", b"\r") and self._fail("bad chunk")
        self._at += 2
        self._state = _State.CHUNK_SIZE
        return True

    def _at_trailers(self) -> bool:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n\r\n", at) + 4
        if buffer.startswith(b"\r\n", at):
            end = at + 2
        elif end < 4:
            bad = len(buffer) - at > MAX_HEAD_BYTES or _BARE_LF.search(buffer, at)
            return bool(bad) and self._fail("bad trailer")
        if end - at > MAX_HEAD_BYTES or not _TRAILERS.fullmatch(buffer, at, end):
            return self._fail("bad trailer")
        self._at = end
        return self._finish()

    def _until_close(self) -> bool:
        self._hold(self._buffer[self._at :])
        self._at = len(self._buffer)
        return False


_STEPS = {
    _State.HEAD: ResponseParser._at_head,
    _State.LENGTH: ResponseParser._at_body,
    _State.CHUNK_SIZE: ResponseParser._at_chunk_size,
    _State.CHUNK_DATA: ResponseParser._at_body,
    _State.CHUNK_END: ResponseParser._at_chunk_end,
    _State.TRAILERS: ResponseParser._at_trailers,
    _State.UNTIL_CLOSE: ResponseParser._until_close,
}

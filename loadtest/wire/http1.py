"""HTTP/1.1 responses, bytes in, verdict out. No socket, no clock (RFC 9110, RFC 9112).

A `ResponseParser` takes an answer in pieces of any size and says when it is complete. Whatever the pieces, the
verdict is the same, to the letter of its fault: a line is judged when it is whole, or too long to be one. What is not
HTTP is a `fault`, never an exception. The steps from state to state are drawn in `loadtest.wire.state`.
"""

from __future__ import annotations

from loadtest.wire.chunks import chunk_end, chunk_size
from loadtest.wire.head import Head, HeadReader
from loadtest.wire.lines import FOLD, MAX_HEAD_BYTES, Lines, Malformed, clean_head, head_fault, trailer_fault
from loadtest.wire.state import State

__all__ = ["KEPT_BYTES", "MAX_HEAD_BYTES", "MAX_INTERIM", "ResponseParser"]

MAX_INTERIM = 32  # 1xx answers before the final one
KEPT_BYTES = 64 * 1024  # of the body of an answer that is not 2xx: its beginning, and its end if it is longer
_KEPT_END_BYTES = 4 * 1024  # SageMaker writes the container's message first and its status last

_LINE_ENDS = b"\r\n"
_NO_HEAD = Head()


_START_STATE, _DONE_STATE = State.START, State.DONE  # names that the fast path finds in one step


class ResponseParser:
    """Reads one response after another from one connection; `reset` before each. Strict if `heads` is.

    feed(data), eof(): true when the response is complete or faulty. Then, until `reset`:
    head: its Head; of 1xx answers only the final one's. fault: why it is malformed, with the line; "" if it is not.
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
        "_lines",
        "_raw",
        "_read",
        "_special",
        "_start",
        "_state",
        "_whole",
        "body_bytes",
        "fault",
        "head",
        "reusable",
        "strict",
    )

    def __init__(self, heads: HeadReader | None = None, *, keep: bool = False, connect: bool = False) -> None:
        reader = heads or HeadReader()
        self._known, self._read, self._whole = reader.heads.get, reader.read, reader.whole
        self.strict = reader.strict
        self._keep = keep
        self._connect = connect
        self._special = keep or connect
        self._begin()
        self.reset()

    def reset(self) -> None:
        """Expect the next response."""
        self._state = _START_STATE

    def _begin(self) -> None:
        self._state = State.HEAD
        self._buffer = self._raw = b""
        self._at = self._interim = self._left = self._kept_bytes = self.body_bytes = 0
        self._lines: Lines | None = None  # of the head or trailer that is under way
        self._start = 0  # where the buffer begins, in bytes of the body as it was sent
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
            if not self.strict:  # empty lines after the answer before this one, or before this one: there is none yet
                data = data.lstrip(_LINE_ENDS)
                if not data:
                    self._state = _START_STATE
                    return False
        self._buffer = self._buffer + data if self._buffer else data
        step = _STEPS.get(self._state)
        try:
            while step is not None and step(self):
                step = _STEPS.get(self._state)
        except Malformed as fault:
            self.fault = str(fault)
            self.reusable = False
            self._state = _DONE_STATE
        self._buffer = self._buffer[self._at :]
        self._start += self._at
        self._at = 0
        if self._state is not _DONE_STATE:
            return False
        if self._buffer and (self.strict or self._buffer.strip(_LINE_ENDS)):
            self.reusable = False  # bytes that nobody asked for: whose answer would come next?
        return True

    def eof(self) -> bool:
        """The stream ended. False: in the middle of the response, or before it (`started`). True: as of `feed`."""
        if self._state is State.UNTIL_CLOSE or (self._state is State.TRAILERS and not self.strict):
            self._state = _DONE_STATE
        elif self._lines is not None and not self._lines.number and self._state is State.HEAD:
            self.fault = head_fault(self._buffer, 0, self.strict)  # no line of another protocol, perhaps
            self._state = _DONE_STATE if self.fault else self._state
        return self._state is _DONE_STATE

    @property
    def until_close(self) -> bool:
        """The body is under way, and only the end of the stream will end it."""
        return self._state is State.UNTIL_CLOSE

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
        if 4 <= end <= at + MAX_HEAD_BYTES:
            raw = buffer[at:end]
            head = self._known(raw) or self._read(raw)
            if head is not None:
                return self._take_head(head, raw, end)
        # Not whole yet, or not well formed: line by line.
        if self._lines is None:
            self._lines = Lines(self.strict, head_fault)
        end = self._lines.end(buffer, at)
        if not end:
            return False
        if self._lines.number == 1:  # an empty line before the status line
            if self.strict:
                raise Malformed("bad status line: ''")
            self._at, self._lines = end, None
            return True
        raw = FOLD.sub(b" ", buffer[at:end]) if self.strict else clean_head(buffer[at:end])
        return self._take_head(self._known(raw) or self._read(raw) or Head(fault="bad head"), raw, end)

    def _take_head(self, head: Head, raw: bytes, end: int) -> bool:
        self._at, self._lines = end, None
        if head.fault:
            raise Malformed(head.fault)
        if head.status < 200:
            self._interim += 1
            if head.status == 101 or self._interim > MAX_INTERIM:  # 101 changes the protocol, which nobody asked for
                raise Malformed("unexpected 101" if head.status == 101 else "too many 1xx")
            return True
        self.head, self._raw = head, raw
        self._start = -end
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
            self._state = State.CHUNK_SIZE
        elif head.length == 0:
            return self._finish()
        elif head.length > 0:
            self._left = head.length
            self._state = State.LENGTH
        else:
            self._state = State.UNTIL_CLOSE
        return True

    def _at_body(self) -> bool:
        data = self._buffer[self._at : self._at + self._left]
        self._at += len(data)
        self._left -= len(data)
        self._hold(data)
        if self._left:
            return False
        if self._state is State.LENGTH:
            return self._finish()
        self._state = State.CHUNK_END
        return True

    def _at_chunk_size(self) -> bool:
        self._left, end = chunk_size(self._buffer, self._at, self.strict, self._start + self._at)
        if not end:
            return False
        self._at = end
        self._state = State.CHUNK_DATA if self._left else State.TRAILERS
        return True

    def _at_chunk_end(self) -> bool:
        end = chunk_end(self._buffer, self._at, self.strict, self._start + self._at)
        if not end:
            return False
        self._at = end
        self._state = State.CHUNK_SIZE
        return True

    def _at_trailers(self) -> bool:
        if self._lines is None:
            if self._buffer.startswith(b"\r\n", self._at):  # mostly
                self._at += 2
                return self._finish()
            self._lines = Lines(self.strict, trailer_fault)
        end = self._lines.end(self._buffer, self._at)
        if not end:
            return False
        self._at = end
        return self._finish()

    def _until_close(self) -> bool:
        self._hold(self._buffer[self._at :])
        self._at = len(self._buffer)
        return False


_STEPS = {
    State.HEAD: ResponseParser._at_head,
    State.LENGTH: ResponseParser._at_body,
    State.CHUNK_SIZE: ResponseParser._at_chunk_size,
    State.CHUNK_DATA: ResponseParser._at_body,
    State.CHUNK_END: ResponseParser._at_chunk_end,
    State.TRAILERS: ResponseParser._at_trailers,
    State.UNTIL_CLOSE: ResponseParser._until_close,
}

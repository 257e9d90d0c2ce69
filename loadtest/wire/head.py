"""The head of an HTTP/1.1 response: what it says about the body that follows and about the connection (RFC 9112).

Read in one of two ways. Strict: a mistake that would make the next answer ambiguous (line ends, lengths, names) is a
fault. Lenient, the default: as http.client and urllib3 read it, the clients under botocore; `lines.clean_head` comes
first, and what is left to decide here is how the body is delimited.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from loadtest.wire.lines import FOLD, MAX_HEAD_BYTES, TEXT, TOKEN, shown

__all__ = ["Head", "HeadReader", "read_head"]

_HEAD = re.compile(
    rb"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: " + TEXT + rb")?\r\n(?:" + TOKEN + rb":" + TEXT + rb"\r\n)*\r\n"
)
_STATUS_LINE = re.compile(rb"HTTP/1\.[1-9] ([1-9][0-9][0-9])(?: " + TEXT + rb")?")
_LINE = re.compile(TOKEN + rb":" + TEXT)
_NUMBER = re.compile(rb"\+?[0-9]+")

_MAX_HEADS = 256
_MAX_LINES = 1024
_MAX_KEPT_BYTES = 2048
# What a line says, as one number: a status or length as it is, a latency above this, or one of two markers.
_LATENCY = 1 << 60
_NOTHING, _UNUSUAL = -1, -2


class Head(NamedTuple):
    """What a response's head says about what follows.

    length: of the body, by Content-Length; -1: not given, or overruled by `chunked`. close: the connection ends with
    this answer. model_latency_us: X-Loadtest-Model-Latency-Us; None: not told. fault: why it is malformed, "" if not.
    whole_bytes: head and body together, of a 2xx answer delimited by its length that ends no connection; -1: any other.
    """

    status: int = 0
    length: int = -1
    chunked: bool = False
    close: bool = False
    model_latency_us: int | None = None
    fault: str = ""
    whole_bytes: int = -1


def read_head(raw: bytes, *, strict: bool = False) -> Head | None:
    """The head from its status line to its empty line; None: it is not well formed. Never raises."""
    match = _HEAD.fullmatch(raw) or _HEAD.fullmatch(FOLD.sub(b" ", raw))
    if match is None:
        return None
    size, low = len(raw), match[0].lower()
    http_1_0 = match[1] == b"0"
    chunked, close = False, http_1_0
    if b"\r\nconnection:" in low:
        tokens = _tokens(low, b"connection")
        close = b"close" in tokens or (close and b"keep-alive" not in tokens)
    length, fault = _length(low, strict)
    if b"\r\ntransfer-encoding:" in low and not fault:
        codings = _tokens(low, b"transfer-encoding")
        if not strict:
            chunked = b"chunked" in codings
            length = -1 if chunked else length
        else:
            if codings.count(b"chunked") > 1:
                fault = f"bad transfer-encoding: {shown(b', '.join(codings))}"
            # Both framings at once, or one in HTTP/1.0, is how messages are smuggled: read it, then part.
            close = close or length >= 0 or http_1_0
            chunked, length = codings[-1:] == [b"chunked"], -1
    if fault:
        return Head(fault=fault)
    status = int(match[2])
    whole_bytes = size + length if _is_plain(status) and length >= 0 and not close else -1
    return Head(status, length, chunked, close, _model_latency_us(low), "", whole_bytes)


def _is_plain(status: int) -> bool:
    return 200 <= status < 300 and status != 204


class HeadReader:
    """`read_head` for many answers of one server, whose heads repeat wholly or line by line.

    A head that differs from those before in a date or a request id costs a look-up for each of its other lines.
    What is not an ordinary 2xx answer with one Content-Length is left to `read_head`. Bounded in memory.

    heads: those that came before, byte for byte; well-formed ones only. lines: what lines of them say.
    """

    __slots__ = ("_statuses", "heads", "lines", "strict")

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.heads: dict[bytes, Head] = {}
        self.lines: dict[bytes, int] = {}
        self._statuses: dict[bytes, int] = {}

    def read(self, raw: bytes) -> Head | None:
        """The head from its status line to its empty line; None: it is not well formed. Never raises."""
        return self._ordinary(raw) or self._remember(raw, read_head(raw, strict=self.strict))

    def whole(self, data: bytes) -> Head | None:
        """The head of `data` if that is one whole 2xx answer with its length given, and the connection goes on."""
        end = data.find(b"\r\n\r\n") + 4
        if not 4 <= end <= MAX_HEAD_BYTES:
            return None
        raw = data[:end]
        head = self.heads.get(raw) or self._ordinary(raw)
        return head if head is not None and head.whole_bytes == len(data) else None

    def _ordinary(self, raw: bytes) -> Head | None:
        return self._remember(raw, self._by_lines(raw))

    def _remember(self, raw: bytes, head: Head | None) -> Head | None:
        if head is not None:
            if len(self.heads) >= _MAX_HEADS:
                self.heads.clear()
            if len(raw) < _MAX_KEPT_BYTES:
                self.heads[raw] = head
        return head

    def _by_lines(self, raw: bytes) -> Head | None:
        lines = raw.split(b"\r\n")
        known = self.lines
        length, latency_us = -1, None
        status = self._statuses.get(lines[0])
        if status is None:
            status = self._learn_status(lines[0])
        if status < 0:
            return None
        for line in lines[1:-2]:
            told = known.get(line)
            if told is None:
                told = self._learn(line)
            if told == _NOTHING:
                continue
            if told >= _LATENCY and latency_us is None:
                latency_us = told - _LATENCY
            elif 0 <= told < _LATENCY and length < 0:
                length = told
            else:
                return None
        if length < 0:
            return None
        return Head(status, length, False, False, latency_us, "", len(raw) + length)

    def _learn_status(self, line: bytes) -> int:
        match = _STATUS_LINE.fullmatch(line)
        status = int(match[1]) if match is not None else _UNUSUAL
        return self._keep(line, status if _is_plain(status) else _UNUSUAL, self._statuses)

    def _learn(self, line: bytes) -> int:
        """What a header line says: a length, a latency, nothing of interest, or something unusual."""
        if not _LINE.fullmatch(line):
            return _UNUSUAL
        name, _, value = line.lower().partition(b":")
        value = value.strip(b" \t")
        if name == b"x-loadtest-model-latency-us":
            # It hardly ever repeats, so it is not kept.
            return _LATENCY + int(value) if value.isdigit() and len(value) <= 15 else _NOTHING
        if name == b"content-length":
            usual = value.isdigit() and len(value) <= 18
            return self._keep(line, int(value) if usual and int(value) < _LATENCY else _UNUSUAL)
        if name == b"transfer-encoding" or (name == b"connection" and value != b"keep-alive"):
            return self._keep(line, _UNUSUAL)
        return self._keep(line, _NOTHING)

    def _keep(self, line: bytes, told: int, known: dict[bytes, int] | None = None) -> int:
        known = self.lines if known is None else known
        if len(known) >= _MAX_LINES:
            known.clear()
        if len(line) < _MAX_KEPT_BYTES:
            known[line] = told
        return told


def _values(low: bytes, name: bytes) -> list[bytes]:
    """Every value of a header in a lower-case head."""
    return [rest.partition(b"\r\n")[0].strip(b" \t") for rest in low.split(b"\r\n" + name + b":")[1:]]


def _tokens(low: bytes, name: bytes) -> list[bytes]:
    return [token.strip(b" \t") for value in _values(low, name) for token in value.split(b",")]


def _length(low: bytes, strict: bool) -> tuple[int, str]:
    """(length, fault). -1: not given. The same number repeated counts as one (RFC 9112, 6.3).

    Lenient: what is no number is passed over, as http.client does.
    """
    values = _values(low, b"content-length")
    if not values:
        return -1, ""
    value = values[0]
    if len(values) == 1 and value.isdigit() and len(value) <= 18:
        return int(value), ""
    each = set(_tokens(low, b"content-length"))
    if not strict:
        each = {token.removeprefix(b"+").lstrip(b"0") or b"0" for token in each if _NUMBER.fullmatch(token)}
        if not each:
            return -1, ""
    value = each.pop() if len(each) == 1 else b""
    if value.isdigit() and len(value) <= 18:
        return int(value), ""
    return -1, f"bad content-length: {shown(b', '.join(values))}"


def _model_latency_us(low: bytes) -> int | None:
    values = _values(low, b"x-loadtest-model-latency-us")
    return int(values[0]) if values and values[0].isdigit() and len(values[0]) <= 15 else None

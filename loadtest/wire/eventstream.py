"""AWS event-stream frames: the body of InvokeEndpointWithResponseStream, bytes in and frames out.

    | total length u32 | headers length u32 | CRC32 of the 8 bytes before | headers | payload | CRC32 of all before |

Big endian. A header is: name length u8, name, value type u8, value. No clock, no I/O.
Source: Smithy specification, "Amazon Event Stream Specification".
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zlib import crc32

__all__ = ["MAX_HEADERS_BYTES", "MAX_PAYLOAD_BYTES", "EventFrame", "FrameDecoder", "HeaderValue", "encode_event"]

MAX_HEADERS_BYTES = 128 * 1024
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024

HeaderValue = bool | int | bytes | str | datetime | uuid.UUID

_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_FRAMING_BYTES = _PRELUDE.size + _CRC.size
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STRING = 7
_INTEGERS = {2: struct.Struct("!b"), 3: struct.Struct("!h"), 4: struct.Struct("!i"), 5: struct.Struct("!q")}


class EventFrame(NamedTuple):
    """One message of the stream, its checksums verified."""

    headers: Mapping[str, HeaderValue]
    payload: bytes

    @property
    def message_type(self) -> str:
        """`event`, `exception` or `error`; "" if the frame does not say."""
        return str(self.headers.get(":message-type", ""))

    @property
    def event_type(self) -> str:
        """Of an event: `PayloadPart`; "" if the frame does not say."""
        return str(self.headers.get(":event-type", ""))

    @property
    def failure(self) -> str | None:
        """The code of an exception or error frame (`ModelStreamError`, ...); None: the frame is an event."""
        kind = self.message_type
        if kind == "exception":
            return str(self.headers.get(":exception-type") or "exception")
        if kind == "error":
            return str(self.headers.get(":error-code") or "error")
        return None


def encode_event(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with string headers. Raises ValueError if a name, a value or the whole does not fit the format."""
    packed = b"".join(_encode_header(name, value) for name, value in headers.items())
    if len(packed) > MAX_HEADERS_BYTES:
        raise ValueError(f"headers of {len(packed)} bytes, at most {MAX_HEADERS_BYTES} fit in a frame")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload of {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} fit in a frame")
    lengths = struct.pack("!II", _FRAMING_BYTES + len(packed) + len(payload), len(packed))
    frame = b"".join((lengths, _CRC.pack(crc32(lengths)), packed, payload))
    return frame + _CRC.pack(crc32(frame))


def _encode_header(name: str, value: str) -> bytes:
    raw_name, raw_value = name.encode(), value.encode()
    if not 1 <= len(raw_name) <= 255:
        raise ValueError(f"a header name has 1 to 255 bytes, got {name!r}")
    if len(raw_value) > 32767:
        raise ValueError(f"the value of header {name!r} has {len(raw_value)} bytes, at most 32767 fit")
    return struct.pack(f"!B{len(raw_name)}sBH", len(raw_name), raw_name, _STRING, len(raw_value)) + raw_value


class FrameDecoder:
    """Takes the stream in pieces of any size and gives whole frames.

    After a ValueError the stream is lost: there is no way to find the next frame.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[EventFrame]:
        """The frames that `data` completes, in order. Raises ValueError on a wrong checksum, length or header."""
        buffer = self._buffer
        buffer += data
        frames: list[EventFrame] = []
        start = 0
        while len(buffer) - start >= _PRELUDE.size:
            total, headers_bytes = _read_prelude(buffer, start)
            if len(buffer) - start < total:
                break
            frames.append(_read_frame(bytes(buffer[start : start + total]), headers_bytes))
            start += total
        del buffer[:start]
        return frames

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that is not complete: not 0 at the stream's end means that it was cut."""
        return len(self._buffer)


def _read_prelude(buffer: bytearray, start: int) -> tuple[int, int]:
    """(total length, headers' length), both checked."""
    total, headers_bytes, checksum = _PRELUDE.unpack_from(buffer, start)
    if crc32(buffer[start : start + 8]) != checksum:
        raise ValueError("the checksum of a frame's prelude does not match")
    if headers_bytes > MAX_HEADERS_BYTES or not 0 <= total - headers_bytes - _FRAMING_BYTES <= MAX_PAYLOAD_BYTES:
        raise ValueError(f"impossible frame lengths: {total} bytes in all, {headers_bytes} of headers")
    return total, headers_bytes


def _read_frame(frame: bytes, headers_bytes: int) -> EventFrame:
    if crc32(frame[: -_CRC.size]) != _CRC.unpack(frame[-_CRC.size :])[0]:
        raise ValueError("the checksum of a frame does not match")
    end = _PRELUDE.size + headers_bytes
    try:
        headers = _read_headers(frame[_PRELUDE.size : end])
    except (struct.error, UnicodeDecodeError, OverflowError) as problem:
        raise ValueError(f"a frame's headers cannot be read: {problem}") from problem
    return EventFrame(headers, frame[end : -_CRC.size])


def _read_headers(raw: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(raw):
        name, at = _take(raw, at + 1, raw[at])
        key = name.decode()
        if key in headers:
            raise ValueError(f"header {key!r} appears twice in a frame")
        headers[key], at = _read_value(raw, at)
    return headers


def _read_value(raw: bytes, at: int) -> tuple[HeaderValue, int]:
    """(value, where the next header starts)."""
    kind = raw[at] if at < len(raw) else -1
    at += 1
    if kind in (0, 1):
        return kind == 0, at
    if kind in _INTEGERS:
        packed = _INTEGERS[kind]
        return packed.unpack_from(raw, at)[0], at + packed.size
    if kind in (6, _STRING):
        data, at = _take(raw, at + 2, struct.unpack_from("!H", raw, at)[0])
        return (data if kind == 6 else data.decode()), at
    if kind == 8:
        (epoch_ms,) = struct.unpack_from("!q", raw, at)
        return _EPOCH + timedelta(milliseconds=epoch_ms), at + 8
    if kind == 9:
        data, at = _take(raw, at, 16)
        return uuid.UUID(bytes=data), at
    raise ValueError(f"unknown type {kind} of a header's value")


def _take(raw: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(raw):
        raise ValueError("a header ends after its frame's headers")
    return raw[at : at + length], at + length

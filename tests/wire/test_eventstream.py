"""Event-stream frames against botocore's own reader, in pieces of any size, and with every byte broken."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from loadtest.wire.eventstream import MAX_PAYLOAD_BYTES, EventFrame, FrameDecoder, encode_event

PART = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}

names = st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) <= 255)
headers = st.dictionaries(names, st.text(max_size=50), max_size=6)
events = st.lists(st.tuples(headers, st.binary(max_size=300)), min_size=1, max_size=6)


def raw_frame(packed: bytes, payload: bytes = b"") -> bytes:
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    frame = prelude + struct.pack("!I", crc32(prelude)) + packed + payload
    return frame + struct.pack("!I", crc32(frame))


@given(events)
def test_botocore_reads_what_we_write(written: list[tuple[dict[str, str], bytes]]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(encode_event(*event) for event in written))
    assert [(event.headers, event.payload) for event in buffer] == written


@given(events, st.data())
def test_any_split_gives_the_same_frames(written: list[tuple[dict[str, str], bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_event(*event) for event in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    found: list[EventFrame] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end])
    assert [(frame.headers, frame.payload) for frame in found] == written
    assert decoder.pending_bytes == 0


def test_every_header_type_reads_as_botocore_reads_it() -> None:
    stamp_ms = 1_700_000_000_123
    packed = b"".join(
        [
            b"\x01t\x00",
            b"\x01f\x01",
            b"\x01b\x02\xff",
            b"\x01s\x03\x80\x00",
            b"\x01i\x04" + struct.pack("!i", -7),
            b"\x01l\x05" + struct.pack("!q", -(2**60)),
            b"\x01y\x06\x00\x03abc",
            b"\x01z\x07\x00\x02\xc3\xa9",
            b"\x01d\x08" + struct.pack("!q", stamp_ms),
            b"\x01u\x09" + bytes(range(16)),
        ]
    )
    frame = raw_frame(packed, b"body")
    (ours,) = FrameDecoder().feed(frame)
    assert ours.payload == b"body"
    assert ours.headers == {
        "t": True,
        "f": False,
        "b": -1,
        "s": -32768,
        "i": -7,
        "l": -(2**60),
        "y": b"abc",
        "z": "é",
        "d": datetime.fromtimestamp(1_700_000_000, UTC).replace(microsecond=123_000),
        "u": uuid.UUID(bytes=bytes(range(16))),
    }
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    (theirs,) = list(buffer)
    same = "tfbsilyz"
    assert {name: theirs.headers[name] for name in same} == {name: ours.headers[name] for name in same}


@pytest.mark.parametrize("at", range(len(encode_event(PART, b"0123456789"))))
def test_a_flipped_bit_is_never_a_frame(at: int) -> None:
    frame = bytearray(encode_event(PART, b"0123456789"))
    frame[at] ^= 0x10
    with pytest.raises(ValueError, match=r"checksum|lengths"):
        FrameDecoder().feed(bytes(frame))


@pytest.mark.parametrize(
    "packed",
    [
        b"\x05ab",  # the name ends after the headers
        b"\x01a",  # no type
        b"\x01a\x0a",  # unknown type
        b"\x01a\x07\x00\x09abc",  # the value ends after the headers
        b"\x01a\x04\x00",  # half an integer
        b"\x01a\x07\x00\x01\xff",  # not UTF-8
        b"\x01\xff\x00",  # a name that is not UTF-8
        b"\x01a\x00\x01a\x00",  # twice
        b"\x01a\x08" + b"\x7f" * 8,  # a date that no calendar has
    ],
)
def test_headers_that_cannot_be_read_are_an_error(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|type"):
        FrameDecoder().feed(raw_frame(packed))


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_waited_for(garbage: bytes) -> None:
    decoder = FrameDecoder()
    try:
        decoder.feed(garbage)
    except ValueError:
        return
    assert decoder.pending_bytes < 12 or decoder.pending_bytes == len(garbage)


@pytest.mark.parametrize(("total", "headers_bytes"), [(15, 0), (20, 5), (2**32 - 1, 0), (2**31, 2**30)])
def test_impossible_lengths_are_refused_at_once(total: int, headers_bytes: int) -> None:
    prelude = struct.pack("!II", total, headers_bytes)
    with pytest.raises(ValueError, match="impossible"):
        FrameDecoder().feed(prelude + struct.pack("!I", crc32(prelude)))


@pytest.mark.parametrize(
    ("headers", "failure"),
    [
        (PART, None),
        ({":message-type": "exception", ":exception-type": "ModelStreamError"}, "ModelStreamError"),
        (
            {":message-type": "error", ":error-code": "InternalStreamFailure", ":error-message": "x"},
            "InternalStreamFailure",
        ),
        ({":message-type": "exception"}, "exception"),
        ({":message-type": "error"}, "error"),
        ({}, None),
    ],
)
def test_failure_names_exception_and_error_frames(headers: dict[str, str], failure: str | None) -> None:
    (frame,) = FrameDecoder().feed(encode_event(headers, b""))
    assert frame.failure == failure
    assert frame.event_type == headers.get(":event-type", "")


def test_what_does_not_fit_is_not_written() -> None:
    for bad in ({"": "x"}, {"n" * 256: "x"}, {"n": "v" * 32768}, {f"n{i}": "v" * 32767 for i in range(5)}):
        with pytest.raises(ValueError, match="header"):
            encode_event(bad, b"")
    with pytest.raises(ValueError, match="payload"):
        encode_event({}, bytes(MAX_PAYLOAD_BYTES + 1))

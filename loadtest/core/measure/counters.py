"""The sum of many HdrHistogram V2 payloads, read in vectorised batches.

Merging the windows of a long run decodes tens of thousands of payloads of a few hundred bytes; building a full
`hdrh` histogram for each costs over twenty times as much as reading the few counters that are used. A payload with
anything unusual in it is left to `Histogram.decode`, which says what is wrong. No clock, no I/O.

Layout (HdrHistogram, V2 compressed): base64 of cookie, length (2 x uint32), zlib of [cookie, payload length,
normalizing offset, digits (4 x uint32), lowest, highest (2 x uint64), conversion ratio (double), counters]; the
counters are ZigZag LEB128 numbers, a negative one standing for that many unused counters. All big endian.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from loadtest.core.measure.histogram import DIGITS, HIGHEST_US, LOWEST_US, Histogram, Int64s

__all__ = ["merged"]

BATCH = 256  # payloads decoded together

_OUTER = struct.Struct(">II")
_INNER = struct.Struct(">IIIIQQd")
_COMPRESSED = 0x1C849314
_ENCODED = 0x1C849313
_LENGTH = len(Histogram().counts)
_LONGEST = 8  # bytes of a number that are plain LEB128; the ninth has another meaning


def merged(payloads: Iterable[str]) -> Histogram:
    """The exact sum of encoded histograms; "" adds nothing. Raises ValueError for what `Histogram.decode` refuses."""
    whole = Histogram()
    rest = iter(payloads)
    while batch := list(islice(rest, BATCH)):
        if not _add(whole.counts, batch):
            for payload in batch:
                whole.add(Histogram.decode(payload))
    # The exact sum is not part of the format: as `decode` does it, each counter stands for its middle value.
    values_us, counts = whole.middles()
    whole.sum_us = float(np.dot(values_us, counts))
    return whole


def _add(counts: Int64s, payloads: Sequence[str]) -> bool:
    """Add the payloads' counters to `counts`; False, and nothing is added: one of them is unusual."""
    streams = [_stream(payload) for payload in payloads if payload]
    if None in streams:
        return False
    used = [stream for stream in streams if stream]
    if not used:
        return True
    data = np.frombuffer(b"".join(used), np.uint8)
    last = np.flatnonzero(data < 0x80)  # of each number; every stream ends with one
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if int(lengths.max()) > _LONGEST:
        return False
    place = np.arange(data.size) - np.repeat(first, lengths)
    raw = np.add.reduceat((data & 0x7F).astype(np.int64) << (7 * place), first)
    numbers = (raw >> 1) ^ -(raw & 1)
    after = np.cumsum(np.where(numbers < 0, -numbers, 1))
    # Where each stream's numbers begin, so that every stream counts its counters from 0.
    stream_ends = np.searchsorted(last, np.cumsum([len(stream) for stream in used]))
    before = np.concatenate(([0], after[stream_ends[:-1] - 1]))
    index = after - 1 - np.repeat(before, np.diff(stream_ends, prepend=0))
    if int(index.max()) >= _LENGTH:
        return False
    positive = numbers > 0
    np.add.at(counts, index[positive], numbers[positive])
    return True


def _stream(payload: str) -> bytes | None:
    """The numbers of a payload; None: it is not one of our range and precision, or an unusual one."""
    try:
        raw = base64.b64decode(payload, validate=True)
        cookie, length = _OUTER.unpack_from(raw)
        data = zlib.decompress(raw[_OUTER.size : _OUTER.size + length])
        inner, size, offset, digits, lowest, highest, _ = _INNER.unpack_from(data)
    except (binascii.Error, ValueError, struct.error, zlib.error):
        return None
    ours = (_COMPRESSED, _ENCODED, 0, DIGITS, LOWEST_US, HIGHEST_US)
    stream = data[_INNER.size :]
    if (cookie, inner, offset, digits, lowest, highest) != ours or len(stream) != size:
        return None
    return stream if not stream or stream[-1] < 0x80 else None

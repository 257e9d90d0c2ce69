"""The used counters of an HdrHistogram V2 payload, read in one vectorised pass.

Merging the windows of a long run decodes tens of thousands of payloads of a few hundred bytes; building a full
`hdrh` histogram for each costs over ten times as much as reading the few counters that are used. Anything unusual
in a payload is left to `Histogram.decode`, which says what is wrong with it. No clock, no I/O.

Layout (HdrHistogram, V2 compressed): base64 of cookie, length (2 x uint32), zlib of [cookie, payload length,
normalizing offset, digits (4 x uint32), lowest, highest (2 x uint64), conversion ratio (double), counters]; the
counters are ZigZag LEB128 numbers, a negative one standing for that many unused counters. All big endian.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from loadtest.core.histogram import DIGITS, HIGHEST_US, LOWEST_US, Histogram, Int64s

__all__ = ["merged", "middles"]

Float64s = NDArray[np.float64]

_OUTER = struct.Struct(">II")
_INNER = struct.Struct(">IIIIQQd")
_COMPRESSED = 0x1C849314
_ENCODED = 0x1C849313
_LENGTH = len(Histogram().counts)
_LONGEST = 8  # bytes of a number that are plain LEB128; the ninth has another meaning


def merged(payloads: Iterable[str]) -> Histogram:
    """The exact sum of encoded histograms; "" adds nothing. Raises ValueError for what `Histogram.decode` refuses."""
    whole = Histogram()
    for payload in payloads:
        if not payload:
            continue
        found = _used(payload)
        if found is None:
            whole.add(Histogram.decode(payload))
        else:
            indexes, found_counts = found
            whole.counts[indexes] += found_counts
    # The exact sum is not part of the format: as `decode` does it, each counter stands for its middle value.
    values_us, counts = middles(whole)
    whole.sum_us = float(np.dot(values_us, counts))
    return whole


def middles(histogram: Histogram) -> tuple[Float64s, Float64s]:
    """(middle value in us, count) of every used counter, in rising order: two arrays of float64, shape (n,)."""
    recorded = histogram.recorded()
    # A counter whose highest value has b bits is 2^(b - 11) values wide.
    values = [high - ((1 << max(high.bit_length() - 11, 0)) - 1) / 2 for high, _ in recorded]
    return np.array(values, np.float64), np.array([count for _, count in recorded], np.float64)


def _used(payload: str) -> tuple[Int64s, Int64s] | None:
    """(indexes, counts) of the used counters; None: not a payload of our range and precision, or an unusual one."""
    try:
        raw = base64.b64decode(payload, validate=True)
        cookie, length = _OUTER.unpack_from(raw)
        data = zlib.decompress(raw[_OUTER.size : _OUTER.size + length])
        inner, size, offset, digits, lowest, highest, _ = _INNER.unpack_from(data)
    except (binascii.Error, ValueError, struct.error, zlib.error):
        return None
    ours = (_COMPRESSED, _ENCODED, 0, DIGITS, LOWEST_US, HIGHEST_US)
    if (cookie, inner, offset, digits, lowest, highest) != ours or len(data) != _INNER.size + size:
        return None
    numbers = _zigzag(np.frombuffer(data, np.uint8, offset=_INNER.size))
    if numbers is None:
        return None
    ends = np.cumsum(np.where(numbers < 0, -numbers, 1))
    used = numbers > 0
    indexes = ends[used] - 1
    if indexes.size and indexes[-1] >= _LENGTH:
        return None
    return indexes, numbers[used]


def _zigzag(data: NDArray[np.uint8]) -> Int64s | None:
    """The signed numbers of a ZigZag LEB128 stream; None: cut short, or one is longer than plain LEB128."""
    if not data.size:
        return np.zeros(0, np.int64)
    last = np.flatnonzero(data < 0x80)
    if not last.size or last[-1] != data.size - 1:
        return None
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if int(lengths.max()) > _LONGEST:
        return None
    place = np.arange(data.size) - np.repeat(first, lengths)
    raw = np.add.reduceat((data & 0x7F).astype(np.int64) << (7 * place), first)
    signed: Int64s = (raw >> 1) ^ -(raw & 1)
    return signed

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

from loadtest.core.measure.histogram import DIGITS, HIGHEST_US, LOWEST_US, Histogram, Int64s, counters_of

__all__ = ["add_quickly", "counts_over", "merged"]

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
        if not add_quickly(whole.counts, batch):
            for payload in batch:
                whole.add(Histogram.decode(payload))
    # The exact sum is not part of the format: as `decode` does it, each counter stands for its middle value.
    values_us, counts = whole.middles()
    whole.sum_us = float(np.dot(values_us, counts))
    return whole


def counts_over(payloads: Sequence[str], limits_us: Sequence[int]) -> Int64s:
    """How many values of each histogram lie above each limit, to the counters' resolution: shape (payloads, limits).

    A value in a limit's own counter is not above it; all are above a limit of 0. Raises ValueError
    for what `Histogram.decode` refuses.
    """
    found = np.zeros((len(payloads), len(limits_us)), np.int64)
    limits = np.asarray(limits_us, np.int64)
    bounds = np.where(limits < LOWEST_US, -1, counters_of(limits))
    order = np.argsort(bounds, kind="stable")
    slots = len(limits_us) + 1
    for first in range(0, len(payloads), BATCH):
        batch = payloads[first : first + BATCH]
        parsed = _parsed(batch)
        if parsed is None:
            for place, payload in enumerate(batch):
                counts = Histogram.decode(payload).counts
                found[first + place] = [int(counts[bound + 1 :].sum()) for bound in bounds]
            continue
        stream, index, counts = parsed
        # How many of the bounds lie below each counter; then the sums from above.
        slot = np.searchsorted(bounds[order], index)
        sums = np.zeros(len(batch) * slots, np.int64)
        np.add.at(sums, stream * slots + slot, counts)
        found[first : first + len(batch), order] = sums.reshape(-1, slots)[:, :0:-1].cumsum(axis=1)[:, ::-1]
    return found


def add_quickly(counts: Int64s, payloads: Sequence[str]) -> bool:
    """Add the payloads' counters to `counts`; False, and nothing is added: one of them is unusual."""
    parsed = _parsed(payloads)
    if parsed is None:
        return False
    _, index, numbers = parsed
    np.add.at(counts, index, numbers)
    return True


def _parsed(payloads: Sequence[str]) -> tuple[Int64s, Int64s, Int64s] | None:
    """(number of the payload, counter, count) of every used counter; None: one of the payloads is unusual."""
    streams = [_stream(payload) if payload else b"" for payload in payloads]
    if None in streams:
        return None
    places = [place for place, stream in enumerate(streams) if stream]
    used = [stream for stream in streams if stream]
    if not used:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    data = np.frombuffer(b"".join(used), np.uint8)
    last = np.flatnonzero(data < 0x80)  # of each number; every stream ends with one
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if int(lengths.max()) > _LONGEST:
        return None
    place = np.arange(data.size) - np.repeat(first, lengths)
    raw = np.add.reduceat((data & 0x7F).astype(np.int64) << (7 * place), first)
    numbers = (raw >> 1) ^ -(raw & 1)
    after = np.cumsum(np.where(numbers < 0, -numbers, 1))
    # Where each stream's numbers begin, so that every stream counts its counters from 0.
    stream_ends = np.searchsorted(last, np.cumsum([len(stream) for stream in used]))
    before = np.concatenate(([0], after[stream_ends[:-1] - 1]))
    sizes = np.diff(stream_ends, prepend=0)
    index = after - 1 - np.repeat(before, sizes)
    if int(index.max()) >= _LENGTH:
        return None
    positive = numbers > 0
    return np.repeat(np.array(places, np.int64), sizes)[positive], index[positive], numbers[positive]


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

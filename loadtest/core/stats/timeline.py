"""Counts of requests over a limit along the time of a run, window by window, each in slices. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtest.core.measure.counts import SLICES, sliced
from loadtest.core.stats.clusters import Floats

__all__ = ["Timeline"]

ROOM = 256  # windows, to begin with


class Timeline:
    """Windows in order, as arrays that any stretch of them is a view of.

    n, over: requests, and those over the limit; float64, shape (windows, SLICES).
    edges_s: a window's start, and after the last one its end; a pause between two windows belongs to the earlier one.
    Adding the timelines of several generators is adding their `n` and `over`.
    """

    def __init__(self) -> None:
        self._n, self._over = np.zeros((ROOM, SLICES)), np.zeros((ROOM, SLICES))
        self._edges_s, self._sums, self._over_sums = np.zeros(ROOM + 1), np.zeros(ROOM + 1), np.zeros(ROOM + 1)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, start_s: float, end_s: float, n: int, over: int, batches: Sequence[tuple[int, int]]) -> int:
        """Append a window; returns its index. batches: as in `Counts`; without them all is in one slice."""
        i = self._size
        if i == len(self._n):
            for name in ("_n", "_over", "_edges_s", "_sums", "_over_sums"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate((old, np.zeros((i, *old.shape[1:])))))
        pairs = sliced(tuple(batches)) or sliced(((n, over),))
        self._n[i], self._over[i] = np.array(pairs, np.float64).T
        self._edges_s[i], self._edges_s[i + 1] = start_s, end_s
        self._sums[i + 1], self._over_sums[i + 1] = self._sums[i] + n, self._over_sums[i] + over
        self._size = i + 1
        return i

    def blank(self, first: int, end: int) -> None:
        """Leave the newest windows, `first` .. `end` - 1, out of all sums; their time stays."""
        self._n[first:end], self._over[first:end] = 0.0, 0.0
        self._sums[first : end + 1], self._over_sums[first : end + 1] = self._sums[first], self._over_sums[first]

    def slices(self, first: int, end: int) -> tuple[Floats, Floats]:
        """(n, over) of windows `first` .. `end` - 1."""
        return self._n[first:end], self._over[first:end]

    def counts(self, first: int, end: int) -> tuple[float, float]:
        """(n, over) of a stretch in all."""
        n, over = self._sums[end] - self._sums[first], self._over_sums[end] - self._over_sums[first]
        return float(n), float(over)

    def sums(self, first: int, end: int) -> tuple[Floats, Floats]:
        """Running sums at the edges of windows `first` .. `end` - 1; shape (windows + 1,)."""
        return self._sums[first : end + 1], self._over_sums[first : end + 1]

    def at_s(self, edge: int) -> float:
        """Run time of an edge."""
        return float(self._edges_s[edge])

    def length_s(self, first: int, end: int) -> float:
        """Of a stretch."""
        return float(self._edges_s[end] - self._edges_s[first])

    def edges_s(self) -> Floats:
        """All edges, shape (windows + 1,)."""
        return self._edges_s[: self._size + 1]

    def first_after(self, at_s: float) -> int:
        """The first window that begins at or after `at_s`."""
        return int(np.searchsorted(self._edges_s[: self._size], at_s - 1e-6))

"""A few requests of each window as they were, for those who want raw points. No clock, no I/O.

Drawn when the window is cut, from the arrays that its histograms are made of: a request costs nothing more for it, and
nothing at all is done where nobody asked.
"""

from __future__ import annotations

import numpy as np

from loadtest.core.measure.histogram import Int64s

__all__ = ["MOST_PER_WINDOW", "Sampled", "Sampler"]

MOST_PER_WINDOW = 1000

Sampled = tuple[int, int, int]
"""(place in the window's completions, from 0; latency in us, -1: it failed; the endpoint's own in us, -1: not told)."""


class Sampler:
    """Draws from windows. share: of all requests, 0..1. seed: the same requests of the same windows are drawn again."""

    def __init__(self, share: float, seed: int) -> None:
        self._share, self._seed = share, seed

    def drawn(self, index: int, latency_ns: Int64s, model_us: Int64s, failed: int) -> tuple[Sampled, ...]:
        """Of window `index`: both arrays in the order of completion. failed: what a failure's latency stands as.

        At most MOST_PER_WINDOW, spread over the whole window if the share would be more.
        """
        count = len(latency_ns)
        if not count:
            return ()
        rng = np.random.default_rng([self._seed, index])
        places = np.flatnonzero(rng.random(count) < self._share)
        if len(places) > MOST_PER_WINDOW:
            places = np.sort(rng.choice(places, MOST_PER_WINDOW, replace=False))
        lost = latency_ns[places] == failed
        latency_us = np.where(lost, -1, (latency_ns[places] + 500) // 1000)
        return tuple(zip(places.tolist(), latency_us.tolist(), model_us[places].tolist(), strict=True))

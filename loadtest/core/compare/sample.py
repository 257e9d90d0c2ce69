"""What a comparison takes of a run: each level's windows as series of counts. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.core.compare.dependence import CountSeries
from loadtest.core.judge.decision import Reason
from loadtest.core.measure.counters import counts_over, merged
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.stats.rates import LevelRate, level_rates
from loadtest.core.traffic.curve import Level

__all__ = ["GRID", "LATENCIES", "LevelSample", "RunSample", "sample_of"]

# Metric of a latency -> (the latency, the percentile). "judged": as a threshold is compared, from the intended time on
# where there is one.
LATENCIES: Mapping[str, tuple[str, float]] = {
    "p50": ("judged", 0.50),
    "p95": ("judged", 0.95),
    "p99": ("judged", 0.99),
    "ttfb p50": ("ttfb", 0.50),
    "ttfb p95": ("ttfb", 0.95),
}
KINDS = ("judged", "ttfb")
# Shares at which the distribution is looked at besides, since latencies may have two modes and nothing between them.
GRID = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.86, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995)
ENOUGH_WINDOWS = 3
SLACK_S = 1e-6  # window bounds are sums of floats
# What ends a run because of what was measured.
ON_WHAT_IT_SAW = (Reason.LATENCY, Reason.ERRORS, Reason.TARGET_DOWN, Reason.FLAT, Reason.MAX_INVOCATIONS)
BEYOND = 5  # requests beyond a percentile, below which there is nothing to compare

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LevelSample:
    """One level of one run; arrays have a value for each window. The level's first window is left out if it has more
    than three: users that have just started have completed nothing yet.

    ok, failed, over, length_s: successes; failures and requests of an open workload that were dropped; requests over
    the latency threshold, failures included; seconds.
    histograms: of the latencies "judged" and "ttfb". above: of them, by share of GRID, the values of each window above
    the level's own quantile; shape (windows, shares). counted: all values of each window.
    """

    level: Level
    ok: Floats
    failed: Floats
    over: Floats
    length_s: Floats
    histograms: Mapping[str, Histogram]
    above: Mapping[str, Floats]
    counted: Mapping[str, Floats]

    @property
    def completed(self) -> Floats:
        return self.ok + self.failed

    @property
    def rate_per_s(self) -> float:
        return float(self.ok.sum() / self.length_s.sum())

    def series(self, metric: str) -> CountSeries:
        """The metric's counts window by window, against those of a level in which nothing changes."""
        if metric == "throughput":
            return CountSeries.of(self.ok, self.length_s)
        return CountSeries.of(self.failed if metric == "error share" else self.over, self.completed, share=True)

    def series_at(self, kind: str, place: int) -> CountSeries:
        """The same of the values above the quantile GRID[place]."""
        return CountSeries.of(self.above[kind][:, place], self.counted[kind], share=True)

    def has(self, metric: str) -> bool:
        """There is enough of it to compare."""
        if metric == "throughput":
            return bool(self.ok.sum() > 0)
        if metric in ("error share", "over the limit"):
            return bool(self.completed.sum() > 0)
        kind, share = LATENCIES[metric]
        return kind in self.counted and float(self.counted[kind].sum()) * (1 - share) >= BEYOND


@dataclass(frozen=True, slots=True)
class RunSample:
    """What a comparison takes from one run.

    begun: levels by index, those with at least three windows and a request. levels: of them, those that are not cut
    short: a level that the run ended in because of what it saw there was left when it looked bad. rates: as the plateau
    is looked for in them.
    """

    result: RunResult
    begun: Mapping[int, LevelSample]
    levels: Mapping[int, LevelSample]
    rates: tuple[LevelRate, ...]

    @property
    def streamed(self) -> bool:
        return any(level.has("ttfb p50") for level in self.levels.values())


def sample_of(result: RunResult) -> RunSample:
    """Of a run that is over; windows of its draining are left out."""
    stopped_s = float("inf") if result.stopped_at_s is None else result.stopped_at_s
    traffic = [w for w in result.windows if w.users and w.level is not None and w.start_s < stopped_s]
    cut_short = result.reason in ON_WHAT_IT_SAW
    begun = {}
    for plan in plan_levels(result.plan):
        index = plan.index
        windows = [window for window in traffic if window.level == index]
        windows = windows[1:] if len(windows) > ENOUGH_WINDOWS else windows
        if len(windows) < ENOUGH_WINDOWS or not any(window.completed for window in windows):
            continue
        begun[index] = _level(plan, windows)
    levels = {k: level for k, level in begun.items() if not cut_short or stopped_s >= level.level.end_s - SLACK_S}
    return RunSample(result, begun, levels, level_rates(result.plan, traffic))


def _level(plan: Level, windows: Sequence[Window]) -> LevelSample:
    payloads = {
        "judged": [window.latencies.judged.encoded for window in windows],
        "ttfb": [window.latencies.ttfb.encoded for window in windows],
    }
    histograms = {kind: merged(encoded) for kind, encoded in payloads.items()}
    counted, above = {}, {}
    for kind, encoded in payloads.items():
        limits = [limit for limit in histograms[kind].percentiles_us(GRID) if limit is not None]
        if limits:
            found = counts_over(encoded, [0, *limits]).astype(np.float64)  # all are above 0
            counted[kind], above[kind] = found[:, 0], found[:, 1:]
    return LevelSample(
        level=plan,
        ok=np.array([window.ok for window in windows], np.float64),
        failed=np.array([window.failed + window.sends.dropped for window in windows], np.float64),
        over=np.array([window.counts.over for window in windows], np.float64),
        length_s=np.array([window.length_s for window in windows], np.float64),
        histograms=histograms,
        above=above,
        counted=counted,
    )

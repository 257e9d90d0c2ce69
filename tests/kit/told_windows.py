"""Windows as an honest worker tells of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from windows import flat_frame

from loadtest.core.measure.distribution import Distribution
from loadtest.core.measure.health import Health
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder


def honest(index: int = 3, latency_ns: int = 1_000_000) -> dict[str, Any]:
    recorder = Recorder(threshold_ns=5_000_000)
    for i in range(50):
        recorder.record(Outcome(Kind.OK, 200, 1, 0, 0, (i + 1) * latency_ns))
    recorder.record(Outcome(Kind.TIMEOUT, 0, 0, 0, 0, 10**9))
    window = recorder.take(flat_frame(index, float(index), index + 1.0, 0, 4, 4, 4.0))
    return replace(window, health=Health(cpu=0.3)).to_dict()


def many(n: int, each_us: int) -> dict[str, Any]:
    """An honest window but for the number of its successes: everything in it agrees."""
    histogram = Histogram()
    histogram.record_counts([each_us], [n])
    encoded = Distribution.of(histogram, each_us / 1000)
    figures = {"p50_ms": encoded.p50_ms, "p95_ms": encoded.p95_ms, "p99_ms": encoded.p99_ms, "max_ms": encoded.max_ms}
    told = {"ok": n, "errors": {}, "details": {}, "latency": encoded.encoded, "latency_sum_s": n * each_us / 1e6}
    return {**honest(), **told, **figures, "over": 0, "over_batches": [], "user_clock": 0, "in_flight": 4.0}

"""A whole run in a few figures. No clock, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from loadtest.core.measure.counts import Counts
from loadtest.core.measure.distribution import Distribution, Latencies
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import SERVICE
from loadtest.core.measure.openings import Connects
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window
from loadtest.core.plain import known
from loadtest.core.traffic.arrivals import Sends

__all__ = ["Totals", "totals_of"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Every completion of a run, the draining included.

    length_s: from the start to the last window's end. latencies: figures, the client's and the model's with mean and
    P99.9, without histograms. sends: of an open workload. lost_workers: generator processes that were lost.
    """

    counts: Counts = Counts()
    latencies: Latencies = Latencies()
    sends: Sends = Sends()
    connections: Connects = Connects()
    length_s: float = 0.0
    lost_workers: int = 0

    @property
    def ok(self) -> int:
        return self.counts.ok

    @property
    def errors(self) -> int:
        return self.counts.failed

    @property
    def completed(self) -> int:
        """Successes and failures."""
        return self.counts.completed

    @property
    def error_ratio(self) -> float:
        """Failures / completed; 0 if nothing completed."""
        return self.counts.error_ratio

    @property
    def cut(self) -> int:
        """Failures that were still in flight when the drain limit passed (S8); they are among `errors`."""
        return self.counts.errors.get(Kind.CUT.value, 0)

    @property
    def throughput_per_s(self) -> float | None:
        """Successes a second; None for an empty run."""
        return self.ok / self.length_s if self.length_s else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, flat."""
        counts, figures = self.counts, self.latencies.figures(("p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"))
        rest = {name: value for name, value in self.latencies.figures().items() if name not in SERVICE}
        return {
            "ok": counts.ok,
            "errors": counts.failed,
            "error_kinds": dict(counts.errors),
            "details": dict(counts.details),
            "cut": self.cut,
            "length_s": self.length_s,
            "throughput_per_s": self.throughput_per_s,
            "mean_ms": self.latencies.client.mean_ms,
            **{name: figures[name] for name in ("p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms")},
            "model_mean_ms": self.latencies.model.mean_ms,
            **{name: figures[name] for name in figures if name.startswith("model_")},
            "bytes_in": counts.bytes_in,
            "over": counts.over,
            "clamped": counts.clamped,
            "user_clock": counts.user_clock,
            "lost_workers": self.lost_workers,
            **asdict(self.sends),
            **{name: value for name, value in rest.items() if not name.startswith("connect_")},
            **asdict(self.connections),
            **{name: value for name, value in rest.items() if name.startswith("connect_")},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Totals:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        counts = {**known(Counts, values), "errors": values["error_kinds"]}
        return cls(
            Counts(**counts),
            Latencies.from_flat(values),
            Sends(**known(Sends, values)),
            Connects(**known(Connects, values)),
            length_s=values["length_s"],
            lost_workers=values["lost_workers"],
        )


def totals_of(windows: Sequence[Window], client: Histogram, model: Histogram) -> Totals:
    """The totals of `windows`, whose merged histograms are `client` and `model`."""
    counts = Counts.sum((window.counts for window in windows), batches=False)
    every = [window.latencies for window in windows]
    max_ms = max((part.client.max_ms for part in every if part.client.max_ms is not None), default=None)
    latencies = Latencies(
        client=Distribution.of(client, max_ms).with_tail(client, counts.mean_ms),
        model=Distribution.of(model).with_tail(model, None if model.mean_us is None else model.mean_us / 1000),
        response=Distribution.merged(part.response for part in every),
        ttfb=Distribution.merged(part.ttfb for part in every),
        inter_chunk=Distribution.merged(part.inter_chunk for part in every),
        connect=Distribution.merged(part.connect for part in every),
    )
    return Totals(
        replace(counts, errors=dict(Counter(counts.errors).most_common()), latency_sum_s=0.0, over_batches=()),
        latencies.without_histograms(),
        Sends.sum(window.sends for window in windows),
        Connects.sum(window.connections for window in windows),
        length_s=max((window.end_s for window in windows), default=0.0),
        lost_workers=max((window.health.lost_workers for window in windows), default=0),
    )

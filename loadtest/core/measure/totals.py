"""A whole run in a few figures. No clock, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from loadtest.core.measure.distribution import distribution_figures
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import percentiles_ms
from loadtest.core.measure.openings import opening_sums
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window, limited

__all__ = ["Totals", "totals_of"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Every completion of a run, the draining included.

    ok, errors: successes and failures; error_kinds, details: the failures by kind and by what distinguishes them.
    cut: failures that were still in flight when the drain limit passed (S8); they are among `errors`.
    length_s: from the start to the last window's end; throughput_per_s: ok / length_s, None for an empty run.
    *_ms: client's clock, successes only, None without a success; model_*: the endpoint's own time (S4).
    over: requests over the latency threshold, failures included.
    clamped: latencies outside 1 us .. 1 h, counted at the border. user_clock: successes without kernel timestamp.
    lost_workers: generator processes that were lost.
    intended, late, very_late, dropped: of an open workload, as in `Sends`. response_*_ms: successes' latency from the
        time they were intended to be sent; None in a closed workload.
    ttfb_*_ms, inter_chunk_*_ms: of streamed answers, to the first part and from part to part; None if none was.
    connects, reconnects, lookup_s, tcp_s, handshake_s, dead_addresses, connect_causes, connect_*_ms: as in `Window`.
    """

    ok: int = 0
    errors: int = 0
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    length_s: float = 0.0
    throughput_per_s: float | None = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    max_ms: float | None = None
    model_mean_ms: float | None = None
    model_p50_ms: float | None = None
    model_p95_ms: float | None = None
    model_p99_ms: float | None = None
    model_p999_ms: float | None = None
    bytes_in: int = 0
    over: int = 0
    clamped: int = 0
    user_clock: int = 0
    lost_workers: int = 0
    intended: int = 0
    late: int = 0
    very_late: int = 0
    dropped: int = 0
    response_p50_ms: float | None = None
    response_p95_ms: float | None = None
    response_p99_ms: float | None = None
    response_max_ms: float | None = None
    ttfb_p50_ms: float | None = None
    ttfb_p95_ms: float | None = None
    ttfb_p99_ms: float | None = None
    ttfb_max_ms: float | None = None
    inter_chunk_p50_ms: float | None = None
    inter_chunk_p95_ms: float | None = None
    inter_chunk_p99_ms: float | None = None
    inter_chunk_max_ms: float | None = None
    connects: int = 0
    reconnects: int = 0
    lookup_s: float = 0.0
    tcp_s: float = 0.0
    handshake_s: float = 0.0
    dead_addresses: Mapping[str, int] = field(default_factory=dict)
    connect_causes: Mapping[str, int] = field(default_factory=dict)
    connect_p50_ms: float | None = None
    connect_p95_ms: float | None = None
    connect_p99_ms: float | None = None
    connect_max_ms: float | None = None

    @property
    def completed(self) -> int:
        """Successes and failures."""
        return self.ok + self.errors

    @property
    def error_ratio(self) -> float:
        """Failures / completed; 0 if nothing completed."""
        return self.errors / self.completed if self.completed else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Totals:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def totals_of(windows: Sequence[Window], client: Histogram, model: Histogram) -> Totals:
    """The totals of `windows`, whose merged histograms are `client` and `model`."""
    ok = sum(window.ok for window in windows)
    kinds = _sum(window.errors for window in windows)
    length_s = max((window.end_s for window in windows), default=0.0)
    shares = (0.50, 0.95, 0.99, 0.999)
    max_ms = max((window.max_ms for window in windows if window.max_ms is not None), default=None)
    p50, p95, p99, p999 = percentiles_ms(client, shares, max_ms)
    model_p50, model_p95, model_p99, model_p999 = percentiles_ms(model, shares)
    return Totals(
        ok=ok,
        errors=sum(kinds.values()),
        error_kinds=kinds,
        details=limited(_sum(window.details for window in windows)),
        cut=kinds.get(Kind.CUT.value, 0),
        length_s=length_s,
        throughput_per_s=ok / length_s if length_s else None,
        mean_ms=1000 * sum(window.latency_sum_s for window in windows) / ok if ok else None,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        p999_ms=p999,
        max_ms=max_ms,
        model_mean_ms=None if model.mean_us is None else model.mean_us / 1000,
        model_p50_ms=model_p50,
        model_p95_ms=model_p95,
        model_p99_ms=model_p99,
        model_p999_ms=model_p999,
        bytes_in=sum(window.bytes_in for window in windows),
        over=sum(window.over for window in windows),
        clamped=sum(window.clamped for window in windows),
        user_clock=sum(window.user_clock for window in windows),
        lost_workers=max((window.lost_workers for window in windows), default=0),
        intended=sum(window.intended for window in windows),
        late=sum(window.late for window in windows),
        very_late=sum(window.very_late for window in windows),
        dropped=sum(window.dropped for window in windows),
        **opening_sums(windows),
        **distribution_figures(windows),
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Summed counters, the most frequent first."""
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total.most_common())

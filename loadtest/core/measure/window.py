"""One slice of a run: the only measurement that crosses a process border, and the exact sum of several generators'.

No clock, no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from loadtest.core.measure.distribution import DISTRIBUTIONS, merged_distribution
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.openings import opening_sums

__all__ = ["MAX_DETAILS", "Window", "limited", "merge_windows", "milliseconds"]

OTHERS = "(others)"
MAX_DETAILS = 100  # an endpoint that puts an id into each error must not make a window, or the result, grow with them


@dataclass(frozen=True, slots=True)
class Window:
    """One slice of a run, [start_s, end_s) since run start: the only measurement that crosses a process border.

    level: index of the curve's level that the window lies in; None: it straddles two, so it counts in no level.
    users: users planned at the window's start. running: users that were running at its end.
    active: mean number of running users; in_flight: mean number of requests in flight (both integral / length).
        In a closed loop without think time the two agree, unless the generator itself makes users wait. A request that
        waits for its connection is in flight.
    ok, errors: completions by kind; details: failures by what distinguishes them, the rarest of many as "(others)".
    latency, model_latency: HDR histograms (us), V2 compressed base64; "" without a success.
    *_ms: of the client's clock, successes only; None without a success. The model's: model_*.
    over, over_batches: requests over the latency threshold on the threshold's clock, failures included (S2, S5);
        over_batches are (n, over) of consecutive completions, for the burst correction; 0 and () without a threshold.
    clamped: latencies outside 1 us .. 1 h, counted at the border. user_clock: successes without kernel timestamp.
    spawned: users started; spawn_lag_*_s: how late they were. loop_lag_s: the event loop's worst lateness.
    cpu: (CPU time of the generator + its wait for a core) / length, 1.0 is one core. steal: share of CPU time that the
        host took away.
    clock_step_s: how far the wall clock moved against the monotonic one.
    workers, lost_workers: generator processes that took part, and that were lost so far.
    intended, late, very_late, dropped: of an open workload, as in `Sends`; 0 in a closed one.
    response, response_*_ms: successes' latency from the time they were intended to be sent; "" and None in a closed
        workload, where that is the latency itself. It is what `over` then counts, on the client's clock.
    ttfb, ttfb_*_ms: of streamed answers, from the send to the first part. inter_chunk, inter_chunk_*_ms: from each part
        to the next; parts that arrived together are 1 us apart in the histogram. "" and None if nothing is streamed.
    connects: connections that were opened. connect, connect_*_ms: how long each took, which is no part of the latency
        but for requests that were sent again; lookup_s, tcp_s, handshake_s: the sums of its parts (name; TCP; proxy and
        TLS). dead_addresses: "address:port what happened" of those that failed before another one did not.
        connect_causes: why connections had to be opened anew.
    reconnects: requests sent again on a new connection, since that before had ended without a byte of an answer.
    """

    index: int
    start_s: float
    end_s: float
    level: int | None
    users: int
    running: int
    active: float
    in_flight: float
    ok: int
    errors: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    latency: str = ""
    model_latency: str = ""
    latency_sum_s: float = 0.0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    model_p50_ms: float | None = None
    model_p95_ms: float | None = None
    model_p99_ms: float | None = None
    over: int = 0
    over_batches: tuple[tuple[int, int], ...] = ()
    clamped: int = 0
    user_clock: int = 0
    spawned: int = 0
    spawn_lag_sum_s: float = 0.0
    spawn_lag_max_s: float = 0.0
    loop_lag_s: float = 0.0
    cpu: float = 0.0
    steal: float = 0.0
    clock_step_s: float = 0.0
    workers: int = 1
    lost_workers: int = 0
    intended: int = 0
    late: int = 0
    very_late: int = 0
    dropped: int = 0
    response: str = ""
    response_p50_ms: float | None = None
    response_p95_ms: float | None = None
    response_p99_ms: float | None = None
    response_max_ms: float | None = None
    ttfb: str = ""
    ttfb_p50_ms: float | None = None
    ttfb_p95_ms: float | None = None
    ttfb_p99_ms: float | None = None
    ttfb_max_ms: float | None = None
    inter_chunk: str = ""
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
    connect: str = ""
    connect_p50_ms: float | None = None
    connect_p95_ms: float | None = None
    connect_p99_ms: float | None = None
    connect_max_ms: float | None = None

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def completed(self) -> int:
        """Successes and failures."""
        return self.ok + self.failed

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Window:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        kept["over_batches"] = tuple((n, over) for n, over in kept.get("over_batches", ()))
        return cls(**kept)


def merge_windows(parts: Sequence[Window]) -> Window:
    """One window from the same window of several generators: every count and every counter is the exact sum.

    Bounds are the parts' mean (each generator closes its windows by its own clock, a millisecond apart); lags, loop
    lag, CPU and steal are the worst of the parts; the rest follows the fields' meaning. Raises ValueError on no parts
    or parts of different windows.
    """
    if len({part.index for part in parts}) != 1:
        raise ValueError("only parts of one window can be merged")
    if len(parts) == 1:
        return parts[0]
    client, model = Histogram(), Histogram()
    for part in parts:
        client.add(Histogram.decode(part.latency))
        model.add(Histogram.decode(part.model_latency))
    p50, p95, p99 = (milliseconds(us) for us in client.percentiles_us([0.50, 0.95, 0.99]))
    model_p50, model_p95, model_p99 = (milliseconds(us) for us in model.percentiles_us([0.50, 0.95, 0.99]))
    return Window(
        index=parts[0].index,
        start_s=sum(part.start_s for part in parts) / len(parts),
        end_s=sum(part.end_s for part in parts) / len(parts),
        level=parts[0].level if len({part.level for part in parts}) == 1 else None,
        users=sum(part.users for part in parts),
        running=sum(part.running for part in parts),
        active=sum(part.active for part in parts),
        in_flight=sum(part.in_flight for part in parts),
        ok=sum(part.ok for part in parts),
        errors=_sum(part.errors for part in parts),
        details=limited(_sum(part.details for part in parts)),
        bytes_in=sum(part.bytes_in for part in parts),
        latency=client.encode() if client.total else "",
        model_latency=model.encode() if model.total else "",
        latency_sum_s=sum(part.latency_sum_s for part in parts),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=max((part.max_ms for part in parts if part.max_ms is not None), default=None),
        model_p50_ms=model_p50,
        model_p95_ms=model_p95,
        model_p99_ms=model_p99,
        over=sum(part.over for part in parts),
        over_batches=tuple(batch for part in parts for batch in part.over_batches),
        clamped=sum(part.clamped for part in parts),
        user_clock=sum(part.user_clock for part in parts),
        spawned=sum(part.spawned for part in parts),
        spawn_lag_sum_s=sum(part.spawn_lag_sum_s for part in parts),
        spawn_lag_max_s=max(part.spawn_lag_max_s for part in parts),
        loop_lag_s=max(part.loop_lag_s for part in parts),
        cpu=max(part.cpu for part in parts),
        steal=max(part.steal for part in parts),
        clock_step_s=max((part.clock_step_s for part in parts), key=abs),
        workers=sum(part.workers for part in parts),
        lost_workers=max(part.lost_workers for part in parts),
        intended=sum(part.intended for part in parts),
        late=sum(part.late for part in parts),
        very_late=sum(part.very_late for part in parts),
        dropped=sum(part.dropped for part in parts),
        **opening_sums(parts),
        **{
            field: value
            for name in DISTRIBUTIONS
            for field, value in merged_distribution(name, parts).fields(name).items()
        },
    )


def limited(details: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, at most MAX_DETAILS; what is left of them counts as "(others)"."""
    most = Counter(details).most_common()
    kept = dict(most[:MAX_DETAILS])
    others = sum(n for _, n in most[MAX_DETAILS:])
    return {**kept, OTHERS: kept.get(OTHERS, 0) + others} if others else kept


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def milliseconds(us: int | None) -> float | None:
    return None if us is None else us / 1000

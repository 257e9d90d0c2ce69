"""What was measured: one `Outcome` per invocation, one `Window` per second, nothing that grows with traffic.

No clock and no I/O: a recorder is told when its window begins and ends.
"""

from __future__ import annotations

import enum
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from loadtest.core.arrivals import Sends
from loadtest.core.histogram import Histogram, Int64s
from loadtest.core.response import Response, merged_response, response_of
from loadtest.core.spec import LatencyClock

__all__ = ["Frame", "Kind", "Outcome", "Recorder", "Window", "merge_windows"]

BATCH = 10  # requests in one batch, from which the design effect of bursts is estimated (core/burst.py)
MAX_BATCHES = 40  # batches one window carries; at high rates they grow instead, so that a window stays small
FAILED = np.iinfo(np.int64).max  # stands for a failure where latencies are kept in completion order


class Kind(str, enum.Enum):
    """How an invocation ended (S5). Only OK is a success; the others are failures by whose fault it was."""

    OK = "ok"
    THROTTLED = "throttled"  # 429, or 400/503 with a throttling code
    MODEL_ERROR = "model_error"  # 424: the container answered 4xx or 5xx (`detail` has the original status)
    CLIENT_ERROR = "client_error"  # any other 4xx: the request was wrong
    SERVER_ERROR = "server_error"  # 5xx
    TIMEOUT = "timeout"  # no full answer within the read timeout
    CONNECTION = "connection"  # refused, reset, unreachable, name not resolved, TLS failed
    MALFORMED = "malformed"  # an answer that is not the protocol
    CUT = "cut"  # still in flight when the drain limit passed (S8)
    EXCEPTION = "exception"  # the target plug-in raised: a bug in it, counted and shown


_OK = Kind.OK  # reached in one step, unlike a member through its class


class Outcome(NamedTuple):
    """One invocation. Times are ns of one clock of the target's choice; done - sent is the latency.

    kind: OK or the kind of failure.
    status: HTTP status; 0 if there was none.
    bytes_in: body bytes received.
    sent_ns: just before the request's first byte was handed to the kernel.
    first_byte_ns, done_ns: first and last byte of the answer, in kernel receive time where there is one.
    model_latency_us: the endpoint's own time (X-Loadtest-Model-Latency-Us); None: it did not tell.
    detail: for failures, what distinguishes them in a table ("424/500", "ThrottlingException", "refused").
    kernel_clock: done_ns is the kernel's receive time.
    gaps_ns: between the parts of a streamed answer, whose first part is the first byte; None: not streamed.
    """

    kind: Kind
    status: int
    bytes_in: int
    sent_ns: int
    first_byte_ns: int
    done_ns: int
    model_latency_us: int | None = None
    detail: str = ""
    kernel_clock: bool = False
    gaps_ns: tuple[int, ...] | None = None

    @property
    def ok(self) -> bool:
        return self.kind is Kind.OK


@dataclass(frozen=True, slots=True)
class Window:
    """One slice of a run, [start_s, end_s) since run start: the only measurement that crosses a process border.

    level: index of the curve's level that the window lies in; None: it straddles two, so it counts in no level.
    users: users planned at the window's start. running: users that were running at its end.
    active: mean number of running users; in_flight: mean number of requests in flight (both integral / length).
        In a closed loop without think time the two agree, unless the generator itself makes users wait.
    ok, errors: completions by kind; details: failures by what distinguishes them.
    latency, model_latency: HDR histograms (us), V2 compressed base64; "" without a success.
    first_byte, gap: the same of streamed answers: request to first part, part to part; "" if nothing is streamed.
    *_ms: of the client's clock, successes only; None without a success. The model's: model_*.
    over, over_batches: requests over the latency threshold on the threshold's clock, failures included (S2, S5);
        over_batches are (n, over) of consecutive completions, for the burst correction; 0 and () without a threshold.
    clamped: latencies outside 1 us .. 1 h, counted at the border. user_clock: answers without kernel timestamp.
    spawned: users started; spawn_lag_*_s: how late they were. loop_lag_s: the event loop's worst lateness.
    cpu: CPU time of the generator / length, 1.0 is one core. steal: share of CPU time the host took away.
    clock_step_s: how far the wall clock moved against the monotonic one.
    workers, lost_workers: generator processes that took part, and that were lost so far.
    intended, late, very_late, dropped: of an open workload, as in `Sends`; 0 in a closed one.
    response, response_*_ms: successes' latency from the time they were intended to be sent; "" and None in a closed
        workload, where that is the latency itself. It is what `over` then counts, on the client's clock.
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
    first_byte: str = ""
    gap: str = ""
    intended: int = 0
    late: int = 0
    very_late: int = 0
    dropped: int = 0
    response: str = ""
    response_p50_ms: float | None = None
    response_p95_ms: float | None = None
    response_p99_ms: float | None = None
    response_max_ms: float | None = None

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


@dataclass(frozen=True, slots=True)
class Frame:
    """What the engine knows about a window besides its requests; the fields mean what they mean in `Window`.

    age_sum_s: summed ages of the requests in flight at the window's end.
    """

    index: int
    start_s: float
    end_s: float
    level: int | None
    users: int
    running: int
    active: float
    age_sum_s: float = 0.0
    spawned: int = 0
    spawn_lag_sum_s: float = 0.0
    spawn_lag_max_s: float = 0.0
    loop_lag_s: float = 0.0
    cpu: float = 0.0
    steal: float = 0.0
    clock_step_s: float = 0.0
    workers: int = 1
    lost_workers: int = 0
    sends: Sends = Sends()


class Recorder:
    """Collects outcomes and turns them into windows. One per generator process; not thread-safe.

    threshold_ns: what `Window.over` counts against; None: nothing is counted.
    clock: whose latency is compared (S4). "auto" and "model" take the endpoint's own time where it tells it.

    A request costs two appends to arrays; everything else happens once a window, vectorised.
    """

    def __init__(self, threshold_ns: int | None = None, clock: LatencyClock = "auto") -> None:
        self._threshold_ns = threshold_ns
        self._use_model = clock != "client"
        self._age_sum_s = 0.0
        self._reset()

    def _reset(self) -> None:
        # In completion order, so that the burst correction sees what followed what.
        self._latency_ns = array("q")
        self._model_us = array("q")
        self._first_ns = array("q")
        self._gap_ns = array("q")
        self._response_ns = array("q")  # of an open workload, in step with the latencies
        self._failures: Counter[Kind] = Counter()
        self._details: Counter[str] = Counter()
        self._failed_ns = 0
        self._bytes_in = 0
        self._user_clock = 0

    def record(self, outcome: Outcome) -> None:
        """Add one finished invocation to the current window."""
        kind, _, bytes_in, sent_ns, first_ns, done_ns, model_us, detail, kernel, gaps_ns = outcome
        if kind is _OK:
            self._latency_ns.append(done_ns - sent_ns)
            self._model_us.append(-1 if model_us is None else model_us)
            if gaps_ns is not None:
                self._first_ns.append(first_ns - sent_ns)
                self._gap_ns.extend(gaps_ns)
        else:
            self._latency_ns.append(FAILED)
            self._model_us.append(-1)
            self._failures[kind] += 1
            self._details[f"{kind.value} {detail}".rstrip()] += 1
            self._failed_ns += done_ns - sent_ns
        self._bytes_in += bytes_in
        if not kernel:
            self._user_clock += 1

    def record_response(self, outcome: Outcome, response_ns: int) -> None:
        """`record` for an open workload. response_ns: from the intended send time to the last byte."""
        self._response_ns.append(response_ns if outcome.kind is Kind.OK else FAILED)
        self.record(outcome)

    def take(self, frame: Frame) -> Window:
        """Everything recorded since the last take, as the window that `frame` describes; starts the next one."""
        order_ns = np.frombuffer(self._latency_ns, np.int64)
        model_us = np.frombuffer(self._model_us, np.int64)
        success = order_ns != FAILED
        latency_ns = order_ns[success]
        client = Histogram()
        client.record((latency_ns + 500) // 1000)
        told = model_us[model_us >= 0]
        model = Histogram()
        model.record(np.maximum(told, 1))
        busy_s = (float(latency_ns.sum(dtype=np.float64)) + self._failed_ns) / 1e9
        length_s = frame.end_s - frame.start_s
        in_flight = (busy_s + frame.age_sum_s - self._age_sum_s) / length_s if length_s > 0 else 0.0
        response_ns = np.frombuffer(self._response_ns, np.int64) if self._response_ns else order_ns
        over, batches = self._over(response_ns, model_us)
        response = response_of(response_ns[success]) if self._response_ns else Response()
        p50, p95, p99 = (_ms(us) for us in client.percentiles_us([0.50, 0.95, 0.99]))
        model_p50, model_p95, model_p99 = (_ms(us) for us in model.percentiles_us([0.50, 0.95, 0.99]))
        window = Window(
            index=frame.index,
            start_s=frame.start_s,
            end_s=frame.end_s,
            level=frame.level,
            users=frame.users,
            running=frame.running,
            active=frame.active,
            in_flight=max(in_flight, 0.0),
            ok=len(latency_ns),
            errors={kind.value: n for kind, n in self._failures.items()},
            details=dict(self._details),
            bytes_in=self._bytes_in,
            latency=client.encode() if latency_ns.size else "",
            model_latency=model.encode() if told.size else "",
            latency_sum_s=float(latency_ns.sum(dtype=np.float64)) / 1e9,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            max_ms=float(latency_ns.max()) / 1e6 if latency_ns.size else None,
            model_p50_ms=model_p50,
            model_p95_ms=model_p95,
            model_p99_ms=model_p99,
            over=over,
            over_batches=batches,
            clamped=client.clamped + model.clamped,
            user_clock=self._user_clock,
            spawned=frame.spawned,
            spawn_lag_sum_s=frame.spawn_lag_sum_s,
            spawn_lag_max_s=frame.spawn_lag_max_s,
            loop_lag_s=frame.loop_lag_s,
            cpu=frame.cpu,
            steal=frame.steal,
            clock_step_s=frame.clock_step_s,
            workers=frame.workers,
            lost_workers=frame.lost_workers,
            first_byte=_encoded(self._first_ns),
            gap=_encoded(self._gap_ns),
            **asdict(frame.sends),
            **asdict(response),
        )
        self._age_sum_s = frame.age_sum_s
        self._reset()
        return window

    def _over(self, order_ns: Int64s, model_us: Int64s) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Requests over the threshold, and the same by batches of consecutive completions."""
        if self._threshold_ns is None or not order_ns.size:
            return 0, ()
        judged = np.where(model_us >= 0, model_us * 1000, order_ns) if self._use_model else order_ns
        over = judged > self._threshold_ns
        size = max(BATCH, -(-over.size // MAX_BATCHES))
        counts = np.add.reduceat(over, np.arange(0, over.size, size), dtype=np.int64)
        sizes = [min(size, over.size - i * size) for i in range(len(counts))]
        return int(over.sum()), tuple(zip(sizes, counts.tolist(), strict=True))


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
    p50, p95, p99 = (_ms(us) for us in client.percentiles_us([0.50, 0.95, 0.99]))
    model_p50, model_p95, model_p99 = (_ms(us) for us in model.percentiles_us([0.50, 0.95, 0.99]))
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
        details=_sum(part.details for part in parts),
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
        first_byte=_merged(part.first_byte for part in parts),
        gap=_merged(part.gap for part in parts),
        intended=sum(part.intended for part in parts),
        late=sum(part.late for part in parts),
        very_late=sum(part.very_late for part in parts),
        dropped=sum(part.dropped for part in parts),
        **asdict(merged_response((part.response, part.response_max_ms) for part in parts)),
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def _encoded(values_ns: array[int]) -> str:
    if not values_ns:
        return ""
    histogram = Histogram()
    # Parts that arrived together have no gap; the scale begins at 1 us.
    histogram.record(np.maximum((np.frombuffer(values_ns, np.int64) + 500) // 1000, 1))
    return histogram.encode()


def _merged(payloads: Iterable[str]) -> str:
    used = [payload for payload in payloads if payload]
    total = Histogram()
    for payload in used:
        total.add(Histogram.decode(payload))
    return total.encode() if used else ""


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000

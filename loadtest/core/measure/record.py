"""What happens to outcomes: a `Recorder` keeps two numbers of each and makes a `Window` of them every second.

No clock and no I/O: a recorder is told when its window begins and ends.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np

from loadtest.core.measure.distribution import distribution_of
from loadtest.core.measure.histogram import Histogram, Int64s
from loadtest.core.measure.openings import Openings
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.window import Window, limited, milliseconds
from loadtest.core.request.spec import LatencyClock
from loadtest.core.traffic.arrivals import Sends

__all__ = ["Frame", "Recorder"]

BATCH = 10  # requests in one batch, from which the design effect of bursts is estimated (core/stats/burst.py)
MAX_BATCHES = 40  # batches one window carries; at high rates they grow instead, so that a window stays small
FAILED = np.iinfo(np.int64).max  # stands for a failure where latencies are kept in completion order

NO_VALUES = np.empty(0, np.int64)

_OK = Kind.OK  # reached in one step, unlike a member through its class


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
        self._succeeded = False
        self._reset()

    def _reset(self) -> None:
        # In completion order, so that the burst correction sees what followed what.
        self._latency_ns = array("q")
        self._model_us = array("q")
        self._first_ns = array("q")
        self._gap_ns = array("q")
        self._response_ns = array("q")  # of an open workload, in step with the latencies
        self._openings = Openings()
        self._failures: Counter[Kind] = Counter()
        self._details: Counter[str] = Counter()
        self._failed_ns = 0
        self._bytes_in = 0
        self._user_clock = 0

    @property
    def succeeded(self) -> bool:
        """Some request has, so far."""
        return self._succeeded or len(self._latency_ns) > self._failures.total()

    def record(self, outcome: Outcome) -> None:
        """Add one finished invocation to the current window."""
        kind, _, bytes_in, sent_ns, first_ns, done_ns, model_us, detail, kernel, gaps_ns, opening = outcome
        if opening is not None:
            self._openings.add(opening)
        if kind is _OK:
            self.record_success(done_ns - sent_ns, bytes_in, model_us, kernel)
            if gaps_ns is not None:
                self._first_ns.append(first_ns - sent_ns)
                self._gap_ns.extend(gaps_ns)
            return
        self._latency_ns.append(FAILED)
        self._model_us.append(-1)
        self._failures[kind] += 1
        self._details[f"{kind.value} {detail}".rstrip()] += 1
        self._failed_ns += done_ns - sent_ns
        self._bytes_in += bytes_in

    def record_success(self, latency_ns: int, bytes_in: int, model_us: int | None, kernel: bool) -> None:
        """`record` for a success that was not streamed, without an Outcome."""
        self._latency_ns.append(latency_ns)
        self._model_us.append(-1 if model_us is None else model_us)
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
        # Who waits for a connection waits for the endpoint, although that is no part of the latency.
        busy_s = (float(latency_ns.sum(dtype=np.float64)) + self._failed_ns + self._openings.before_ns) / 1e9
        length_s = frame.end_s - frame.start_s
        in_flight = (busy_s + frame.age_sum_s - self._age_sum_s) / length_s if length_s > 0 else 0.0
        response_ns = np.frombuffer(self._response_ns, np.int64) if self._response_ns else order_ns
        over, batches = self._over(response_ns, model_us)
        p50, p95, p99 = (milliseconds(us) for us in client.percentiles_us([0.50, 0.95, 0.99]))
        model_p50, model_p95, model_p99 = (milliseconds(us) for us in model.percentiles_us([0.50, 0.95, 0.99]))
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
            details=limited(self._details),
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
            **asdict(frame.sends),
            **distribution_of(response_ns[success] if self._response_ns else NO_VALUES).fields("response"),
            **distribution_of(np.frombuffer(self._first_ns, np.int64)).fields("ttfb"),
            **distribution_of(np.frombuffer(self._gap_ns, np.int64)).fields("inter_chunk"),
            **self._openings.fields(),
        )
        self._age_sum_s = frame.age_sum_s
        self._succeeded = self._succeeded or bool(latency_ns.size)
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

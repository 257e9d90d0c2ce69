"""What happens to outcomes: a `Recorder` keeps two numbers of each and makes a `Window` of them every second.

No clock and no I/O: a recorder is told when its window begins and ends.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from loadtest.core.measure.counts import SLICES, Counts, truncated
from loadtest.core.measure.distribution import Distribution, Latencies
from loadtest.core.measure.health import Health
from loadtest.core.measure.histogram import Histogram, Int64s
from loadtest.core.measure.openings import Openings
from loadtest.core.measure.outcome import NOT_THE_ENDPOINT, Kind, Outcome
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.request.spec import LatencyClock
from loadtest.core.traffic.arrivals import Sends

__all__ = ["Frame", "Recorder"]

FAILED = np.iinfo(np.int64).max  # stands for a failure where latencies are kept in completion order

NO_VALUES = np.empty(0, np.int64)

_OK = Kind.OK  # reached in one step, unlike a member through its class


@dataclass(frozen=True, slots=True)
class Frame:
    """What the engine knows about a window besides its requests.

    load: without `in_flight`, which the requests tell. age_sum_s: summed ages of the requests in flight at its end.
    """

    span: Span
    load: Load
    age_sum_s: float = 0.0
    health: Health = Health()
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
        # In completion order, so that what came together is seen to have come together.
        self._latency_ns = array("q")
        self._model_us = array("q")
        self._first_ns = array("q")
        self._gap_ns = array("q")
        self._response_ns = array("q")  # of an open workload, in step with the latencies
        self._openings = Openings()
        self._slice_ends: list[int] = []
        self._failures: Counter[Kind] = Counter()
        self._judged_failures = 0
        self._details: Counter[str] = Counter()
        self._failed_ns = 0
        self._bytes_in = 0
        self._user_clock = 0

    @property
    def succeeded(self) -> bool:
        """Some request has, so far."""
        return self._succeeded or len(self._latency_ns) > self._judged_failures

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
        if kind not in NOT_THE_ENDPOINT:
            self._latency_ns.append(FAILED)
            self._model_us.append(-1)
            self._judged_failures += 1
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
        if outcome.kind not in NOT_THE_ENDPOINT:
            self._response_ns.append(response_ns if outcome.kind is Kind.OK else FAILED)
        self.record(outcome)

    def mark(self, slice_: int) -> None:
        """Time is in the window's `slice_`-th slice now, of SLICES from 0 on: what is recorded was done before.

        A window in which this was never called is cut into slices of as many requests each.
        """
        ends = self._slice_ends
        while len(ends) < min(slice_, SLICES - 1):
            ends.append(len(self._latency_ns))

    def take(self, frame: Frame) -> Window:
        """Everything recorded since the last take, as the window that `frame` describes; starts the next one."""
        order_ns = np.frombuffer(self._latency_ns, np.int64)
        model_us = np.frombuffer(self._model_us, np.int64)
        success = order_ns != FAILED
        latency_ns = order_ns[success]
        client, model = Histogram(), Histogram()
        client.record((latency_ns + 500) // 1000)
        model.record(np.maximum(model_us[model_us >= 0], 1))
        latency_sum_s = float(latency_ns.sum(dtype=np.float64)) / 1e9
        # Who waits for a connection waits for the endpoint, although that is no part of the latency.
        waited_s = (self._failed_ns + self._openings.before_ns) / 1e9
        busy_s = latency_sum_s + waited_s + frame.age_sum_s - self._age_sum_s
        in_flight = max(busy_s / frame.span.length_s, 0.0) if frame.span.length_s > 0 else 0.0
        response_ns = np.frombuffer(self._response_ns, np.int64) if self._response_ns else order_ns
        over, batches = self._over(response_ns, model_us)
        window = Window(
            frame.span,
            replace(frame.load, in_flight=in_flight),
            Counts(
                ok=len(latency_ns),
                errors={kind.value: n for kind, n in self._failures.items()},
                details=truncated(self._details),
                bytes_in=self._bytes_in,
                latency_sum_s=latency_sum_s,
                over=over,
                over_batches=batches,
                clamped=client.clamped + model.clamped,
                user_clock=self._user_clock,
            ),
            Latencies(
                client=Distribution.of(client, float(latency_ns.max()) / 1e6 if latency_ns.size else None),
                model=Distribution.of(model),
                response=Distribution.of_ns(response_ns[success] if self._response_ns else NO_VALUES),
                ttfb=Distribution.of_ns(np.frombuffer(self._first_ns, np.int64)),
                inter_chunk=Distribution.of_ns(np.frombuffer(self._gap_ns, np.int64)),
                connect=self._openings.distribution(),
            ),
            frame.health,
            frame.sends,
            self._openings.connects(),
        )
        self._age_sum_s = frame.age_sum_s
        self._succeeded = self._succeeded or bool(latency_ns.size)
        self._reset()
        return window

    def _over(self, order_ns: Int64s, model_us: Int64s) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Requests over the threshold, and (n, over) of each slice of the window's time."""
        if self._threshold_ns is None or not order_ns.size:
            return 0, ()
        judged = np.where(model_us >= 0, model_us * 1000, order_ns) if self._use_model else order_ns
        size = judged.size
        sums = np.concatenate(([0], np.cumsum(judged > self._threshold_ns)))
        ends = [size * (k + 1) // SLICES for k in range(SLICES)]
        if self._slice_ends:
            ends = self._slice_ends + [size] * (SLICES - len(self._slice_ends))
        counts = np.diff(sums[ends], prepend=0).tolist()
        sizes = np.diff(ends, prepend=0).tolist()
        return int(sums[-1]), tuple(zip(sizes, counts, strict=True))

"""What does measuring cost: one `record`, one window's `take` at 50,000 requests a second, percentiles, encode, merge?

python -m benchmarks.recorder [--quick] [--rounds N]
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np

from benchmarks.machine import arguments, cores, emit, pinned, summary
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Frame, Recorder
from loadtest.core.measure.window import Load, Span, merge_windows
from loadtest.core.request.spec import LatencyThreshold

QUESTION = "recorder"
PER_S = 50_000
LIMIT = LatencyThreshold(0.95, 40)
FRAME = Frame(Span(0, 0.0, 1.0), Load(50, running=50, active=50.0))


def outcomes(n: int) -> list[Outcome]:
    """Successes with log-normal latencies, one failure in a thousand."""
    rng = np.random.default_rng(1)
    latencies = (20e6 * np.exp(0.405 * rng.standard_normal(n))).astype(np.int64).tolist()
    made = []
    for i, latency in enumerate(latencies):
        kind, status = (Kind.THROTTLED, 400) if i % 1000 == 999 else (Kind.OK, 200)
        made.append(Outcome(kind, status, 21, 10**18, 10**18 + latency, 10**18 + latency, None, "", True))
    return made


def recorded(made: list[Outcome]) -> Recorder:
    recorder = Recorder(LIMIT.limit_ns, "auto")
    for outcome in made:
        recorder.record(outcome)
    return recorder


def timed(
    call: Callable[[], object], rounds: int, calls: int = 1, prepare: Callable[[], object] | None = None
) -> list[float]:
    """CPU seconds of one call, for each round."""
    found = []
    for _ in range(rounds):
        if prepare is not None:
            prepare()
        gc.collect()
        started_s = time.thread_time()
        for _ in range(calls):
            call()
        found.append((time.thread_time() - started_s) / calls)
    return found


def main() -> None:
    chosen = arguments(__doc__)
    rounds = chosen.rounds or (3 if chosen.quick else 15)
    made = outcomes(PER_S)
    with pinned(cores()[1]):
        record(made, rounds)
        take(made, rounds)
        parts(made, rounds)


def record(made: list[Outcome], rounds: int) -> None:
    recorder = Recorder(LIMIT.limit_ns, "auto")
    each = recorder.record

    def every() -> None:
        for outcome in made:
            each(outcome)

    def loop_alone() -> None:
        for _ in made:
            pass

    took = timed(every, rounds, prepare=lambda: recorder.take(FRAME))
    empty_s = min(timed(loop_alone, rounds))
    emit(QUESTION, what="record", unit="us", **summary([1e6 * (s - empty_s) / PER_S for s in took]))


def take(made: list[Outcome], rounds: int) -> None:
    kept: list[Recorder] = []
    took = timed(lambda: kept.pop().take(FRAME), rounds, prepare=lambda: kept.append(recorded(made)))
    found = summary([1e3 * s for s in took])
    share = round(found["median"] / 10, 3)  # ms a second, in percent
    emit(
        QUESTION, what=f"take, {PER_S} requests", unit="ms", **found, percent_of_core=share, target=2, reached=share < 2
    )


def parts(made: list[Outcome], rounds: int) -> None:
    histogram = Histogram()
    values = np.array([(o.done_ns - o.sent_ns) // 1000 for o in made])
    shares = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0]
    emit(QUESTION, what="record 50,000 values", unit="ms", **_ms(timed(lambda: histogram.record(values), rounds)))
    found = timed(lambda: histogram.percentiles_us(shares), rounds, 20)
    emit(QUESTION, what="six percentiles", unit="ms", **_ms(found))
    payload = histogram.encode()
    emit(QUESTION, what="encode", unit="ms", bytes=len(payload), **_ms(timed(histogram.encode, rounds, 5)))
    emit(QUESTION, what="decode", unit="ms", **_ms(timed(lambda: Histogram.decode(payload), rounds, 5)))
    windows = [recorded(made[i::4]).take(FRAME) for i in range(4)]
    emit(QUESTION, what="merge of 4 windows", unit="ms", **_ms(timed(lambda: merge_windows(windows), rounds, 3)))


def _ms(took: list[float]) -> dict[str, object]:
    return summary([1e3 * s for s in took])


if __name__ == "__main__":
    main()

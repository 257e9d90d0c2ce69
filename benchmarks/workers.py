"""What do more workers bring, do their windows merge exactly, and how soon does a stop reach the last of them?

Throughput: one worker process and two, interleaved, nothing pinned, since two workers and a server share the machine.
With boto3 as the target the server has next to nothing to do. With our own, one worker and the server fill most of two
cores already: `most_gain` is what the cores would allow (cores / those that one worker's run kept busy).
Stop: MaxInvocations crosses its limit; the server's log knows when the last request was sent.

    python -m benchmarks.workers [--quick] [--rounds N]
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import arguments, emit, skip, summary
from benchmarks.ours import constant, plan_of, run, steady, stop_rules
from benchmarks.server import NoServer, Server, fast_server, latency_server
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Frame, Recorder
from loadtest.core.measure.window import Load, Span, Window, merge_windows
from loadtest.core.request.spec import RunOptions
from loadtest.core.result.result import RunResult

QUESTION = "workers"
EVERY_CORE = os.sched_getaffinity(0)
STOP_LIMIT_MS = 300
USED_UP = 0.9  # of a core, and more than this is hardly to be had
AT_LEAST = 1.7


def throughput(ref: str, users: int, seconds: float, rounds: int) -> None:
    """One line: two workers against one, and what was used up meanwhile."""
    rates: dict[int, list[float]] = defaultdict(list)
    shares: dict[int, list[float]] = defaultdict(list)
    busy: dict[int, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for workers in (1, 2):
            with fast_server(on=EVERY_CORE) as server:
                rate, share, used = _rate(server, ref, users, seconds, workers)
            rates[workers].append(rate)
            shares[workers].append(share)
            busy[workers].append(used)
    gain = summary([two / one for one, two in zip(rates[1], rates[2], strict=True)])
    most_gain = round(len(EVERY_CORE) / summary(busy[1])["median"], 2)
    limit = _limit(summary(shares[2])["median"], most_gain)
    emit(
        QUESTION,
        what="throughput",
        target=ref,
        users=users,
        one_worker_per_s=summary(rates[1], 0),
        two_workers_per_s=summary(rates[2], 0),
        gain=gain,
        server_core_share={"one worker": summary(shares[1]), "two workers": summary(shares[2])},
        busy_cores={"one worker": summary(busy[1]), "two workers": summary(busy[2])},
        cores=len(EVERY_CORE),
        most_gain=most_gain,
        ceiling_of_two=limit,
        at_least=AT_LEAST,
        reached=gain["median"] >= AT_LEAST or bool(limit),
    )


def _limit(server_share: float, most_gain: float) -> str:
    """What two workers could not get more of; "": nothing is known to have limited them."""
    if server_share >= USED_UP:
        return "the server's core"
    return "the machine's cores" if most_gain < AT_LEAST else ""


def _rate(server: Server, ref: str, users: int, seconds: float, workers: int) -> tuple[float, float, float]:
    """(successes a second over the steady windows, meanwhile the server's share of a core and all busy cores)."""
    seen: list[tuple[float, float, float]] = []
    plan = plan_of(server, constant(users, seconds + 2), ref=ref, workers=workers)
    result = run(plan, on_window=lambda window, _: seen.append((time.monotonic(), server.cpu_s(), _busy_s())))
    windows = steady(result)
    per_s = sum(window.ok for window in windows) / sum(window.length_s for window in windows)
    (from_s, from_cpu_s, from_busy_s), (to_s, to_cpu_s, to_busy_s) = seen[0], seen[len(windows)]
    return per_s, (to_cpu_s - from_cpu_s) / (to_s - from_s), (to_busy_s - from_busy_s) / (to_s - from_s)


def _busy_s() -> float:
    """CPU time that all cores have spent on anything."""
    ticks = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def stopping(workers: int, repeats: int) -> None:
    """From the end of the window that crosses the limit, and from the decision, to the last request at the server."""
    since_window_ms, since_decision_ms, counted = [], [], []
    for _ in range(repeats):
        with latency_server(on=EVERY_CORE) as server:
            options = RunOptions(rate_window_s=2.0, drain_s=10.0)
            plan = plan_of(server, constant(50, 20.0), workers=workers, stop=stop_rules(60_000), options=options)
            result = run(plan)
        log = server.log()
        os.unlink(server.log_path)
        assert result.started_at is not None
        assert result.stopped_at_s is not None
        last_s = float(log[:, 0].max()) / 1e9 - result.started_at
        crossed_s = float(result.evidence["end_s"])
        since_window_ms.append(1000 * (last_s - crossed_s))
        since_decision_ms.append(1000 * (last_s - result.stopped_at_s))
        counted.append(_completed(result) - len(log))
    found = summary(since_window_ms, 1)
    emit(
        QUESTION,
        what="stop",
        workers=workers,
        reason=result.reason.value,
        window_end_to_last_request_ms=found,
        decision_to_last_request_ms=summary(since_decision_ms, 1),
        windows_minus_log_requests=counted,
        at_most_ms=STOP_LIMIT_MS,
        reached=found["median"] <= STOP_LIMIT_MS,
    )


def _completed(result: RunResult) -> int:
    return sum(window.completed for window in result.windows)


def exactness() -> None:
    """Merged counters against the sum of the parts, and against one recorder that saw everything."""
    rng = np.random.default_rng(7)
    whole, windows = Recorder(40_000_000), []
    frame = Frame(Span(3, 3.0, 4.0), Load(10, running=10, active=10.0))
    for size in (1, 20_000, 333):
        part = Recorder(40_000_000)
        for latency_ns in (20e6 * np.exp(rng.standard_normal(size))).astype(np.int64).tolist():
            outcome = Outcome(Kind.OK, 200, 21, 0, latency_ns, latency_ns, latency_ns // 2000, "", True)
            part.record(outcome)
            whole.record(outcome)
        windows.append(part.take(frame))
    merged, once = merge_windows(windows), whole.take(frame)
    exact = all(
        bool((_counters(merged, kind) == sum(_counters(window, kind) for window in windows)).all())
        and bool((_counters(once, kind) == _counters(merged, kind)).all())
        for kind in ("client", "model")
    )
    same = all(getattr(merged.counts, name) == getattr(once.counts, name) for name in ("ok", "over", "bytes_in"))
    emit(QUESTION, what="merge", parts=3, requests=merged.ok, counters_equal=exact, counts_equal=same)


def _counters(window: Window, kind: str) -> NDArray[np.int64]:
    return Histogram.decode(getattr(window.latencies, kind).encoded).counts


def main() -> None:
    chosen = arguments(__doc__)
    rounds, seconds = chosen.rounds or (1 if chosen.quick else 3), 1.0 if chosen.quick else 4.0
    exactness()
    throughput("boto3:bench", 8, seconds, rounds)
    throughput("sagemaker:bench", 50, seconds, rounds)
    for workers in (1, 2):
        try:
            stopping(workers, 1 if chosen.quick else 7)
        except NoServer as problem:
            skip(QUESTION, "stop", str(problem))


if __name__ == "__main__":
    main()

"""How late do users start, against the ideal curve: ours, and Locust's own LoadTestShape?

10 users a second for 20 s, and stairs of 5 users every 3 s. The users wait (0.5 s a request): it is the starting that
is measured. Locust: a shape that returns the count for now on each tick, and one that names the stage's end and a rate.
lag_ms: behind the curve; off_ms: behind or before it (a rate starts its first bunch before time).

    python -m benchmarks.spawn [--quick] [--rounds N]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.machine import arguments, cores, emit, pinned, skip
from benchmarks.ours import run, stop_rules
from benchmarks.peers import PeerFailed, locust
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef

QUESTION = "spawn"
# name -> (seconds between changes, users added at each, seconds, shorter in a quick run)
CURVES = {"10 users a second": (0.1, 10 // 10, 20.0, 3.0), "5 users every 3 s": (3.0, 5, 15.0, 6.0)}


def ours_ms(every_s: float, added: int, total_s: float) -> list[float]:
    """Lag of each start in ms, by the audit of `loadtest run`."""
    steps = tuple(Step(k * every_s, (k + 1) * added) for k in range(round(total_s / every_s)))
    plan = Plan(TrafficCurve(steps, total_s), stop_rules(), TargetRef("benchmarks.targets:SlowTarget", {"wait_s": 0.5}))
    with pinned(cores()[1]):
        result = run(plan)
    return [change.lag_ms for change in result.changes if change.action == "start"]


def locust_ms(shape: str, every_s: float, added: int, total_s: float) -> list[float]:
    """The same of a LoadTestShape; its own start is the curve's."""
    with pinned(cores()[1]):
        told = locust("idle", None, 0, total_s, f"{shape}:{every_s}:{added}:{total_s}").more
    starts = sorted(told["starts"])
    return [1000 * (at - told["shape_started_at"] - k // added * every_s) for k, at in enumerate(starts)]


def report(curve: str, client: str, lags_ms: Sequence[float], rounds: int, planned: int) -> None:
    p50, p95, worst = (round(float(value), 2) for value in np.percentile(lags_ms, [50, 95, 100]))
    line = {"curve": curve, "client": client, "n": rounds, "starts": len(lags_ms), "planned": planned * rounds}
    line |= {"lag_ms": {"p50": p50, "p95": p95, "max": worst}}
    off_ms = np.percentile(np.abs(lags_ms), [50, 95, 100])
    line |= {"off_ms": dict(zip(("p50", "p95", "max"), (round(float(value), 2) for value in off_ms), strict=True))}
    if client == "loadtest" and curve == "10 users a second":
        line |= {"target_ms": {"p95": 5, "max": 60}, "reached": p95 <= 5 and worst <= 60}
    emit(QUESTION, **line)


def main() -> None:
    chosen = arguments(__doc__)
    rounds = chosen.rounds or 1
    for curve, (every_s, added, long_s, short_s) in CURVES.items():
        total_s = short_s if chosen.quick else long_s
        planned = round(total_s / every_s) * added
        lags: dict[str, list[float]] = {"loadtest": [], "LoadTestShape, count": [], "LoadTestShape, stage": []}
        for _ in range(rounds):
            lags["loadtest"] += ours_ms(every_s, added, total_s)
            for shape in ("count", "stage"):
                if shape == "stage" and added > 1:
                    continue  # a rate cannot make stairs
                try:
                    lags[f"LoadTestShape, {shape}"] += locust_ms(shape, every_s, added, total_s)
                except PeerFailed as problem:
                    skip(QUESTION, f"LoadTestShape, {shape}", str(problem))
        for client, found in lags.items():
            if found:
                report(curve, client, found, rounds, planned)


if __name__ == "__main__":
    main()

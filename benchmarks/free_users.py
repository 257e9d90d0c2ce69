"""Rises of users that never wait for each other, drawn window by window: hundreds of runs of what `rises` has a few of.

python -m benchmarks.free_users [--runs 400] [--seed N] [--only NAME]

If service times are exponential, and each of N users is served at a rate r(t) of its own, its completions are a
Poisson process in the time that r adds up to, so all of a run's are drawn at once and no queue is kept. So it is with
60 users at `drifting`'s 64 servers (its rate drifts by 5 %, memory of 15 s), and at the endpoint `gain`, where n users
share X(n) = (min(n, 10) + 0.2 max(0, n - 10)) / 0.2 s: every user beyond ten brings 20 % of the first, twice what is
flat. `slow` is one server of one second, held by one to ten users a minute each: which rate is said to be the best?
Windows are shown to the package's rules, one by one, as the controller does.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import emit
from loadtest.core.judge.stop.flat import FlatRule
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import Phase, Stairs, StopConditions, Traffic
from loadtest.core.result.metrics import best_rate
from loadtest.core.stats.rates import RateHistory
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef

SERVICE_S = 0.2
Floats = NDArray[np.float64]


def plan_of(traffic: Traffic) -> Plan:
    return Plan(curve_of(traffic), StopConditions(), TargetRef("mock:"))


def users_of(plan: Plan) -> Sequence[tuple[int, int]]:
    """(level, users) of each second."""
    return [(at.index, at.users) for at in plan_levels(plan) for _ in range(round(at.end_s - at.start_s))]


def window_of(index: int, level: int, users: int, ok: int, latency_sum_s: float) -> Window:
    values = {"index": index, "start_s": float(index), "end_s": index + 1.0, "level": level}
    load = {"users": users, "running": users, "active": float(users), "in_flight": float(users)}
    return Window.from_dict({**values, **load, "ok": ok, "latency_sum_s": latency_sum_s})


def drawn(plan: Plan, rate_of_user: Floats, rng: np.random.Generator) -> list[Window]:
    """rate_of_user: completions a second of each user, in each second of the plan."""
    seconds = users_of(plan)
    ok, latency_s = np.zeros(len(seconds), np.int64), np.zeros(len(seconds))
    edges = np.concatenate(([0.0], np.cumsum(rate_of_user)))
    begins = np.array([users for _, users in seconds])
    for user in range(int(begins.max())):
        first = int(np.argmax(begins > user))
        total = edges[-1] - edges[first]
        gaps = rng.exponential(size=int(total + 6 * math.sqrt(total) + 10))
        done = edges[first] + np.cumsum(gaps)
        at_s = np.interp(done[done < edges[-1]], edges, np.arange(len(edges)))
        second = np.minimum(at_s.astype(np.int64), len(seconds) - 1)
        ok += np.bincount(second, minlength=len(seconds))
        latency_s += np.bincount(second, weights=np.diff(at_s, prepend=float(first)), minlength=len(seconds))
    return [window_of(i, level, users, int(ok[i]), float(latency_s[i])) for i, (level, users) in enumerate(seconds)]


def is_flat(plan: Plan, windows: Sequence[Window]) -> bool:
    history, rule = RateHistory(plan), FlatRule()
    for window in windows:
        history.observe(window)
        if rule.check(history.rates()) is not None:
            return True
    return False


def drifting(rng: np.random.Generator) -> bool:
    plan = plan_of((Phase(1, 3, 1200),))
    keep, value, speed = math.exp(-1 / 15), rng.standard_normal(), np.empty(1200)
    for i in range(1200):
        speed[i] = 1 + 0.05 * value
        value = keep * value + math.sqrt(1 - keep**2) * rng.standard_normal()
    return is_flat(plan, drawn(plan, speed / SERVICE_S, rng))


def gaining(rng: np.random.Generator) -> bool:
    plan = plan_of((Phase(1, 3, 1200),))
    users = np.array([users for _, users in users_of(plan)])
    total = (np.minimum(users, 10) + 0.2 * np.maximum(0, users - 10)) / SERVICE_S
    return is_flat(plan, drawn(plan, total / users, rng))


def plateau(rng: np.random.Generator) -> bool:
    """`gain` without any: the rule is to fire."""
    plan = plan_of((Phase(1, 3, 1200),))
    users = np.array([users for _, users in users_of(plan)])
    return is_flat(plan, drawn(plan, np.minimum(users, 10) / SERVICE_S / users, rng))


def slow(runs: int, seed: int) -> None:
    """One server of one second: a Poisson process of one a second, whatever the number of users."""
    for name, traffic in {"ten minutes": (Phase(1, 0, 600),), "ten levels of a minute": Stairs(1, 10, 600)}.items():
        plan = plan_of(traffic)
        held, means, peaks = 0, [], []
        for i in range(runs):
            counts = np.random.default_rng([seed, i]).poisson(1.0, 600).tolist()
            every = enumerate(zip(users_of(plan), counts, strict=True))
            windows = [window_of(k, level, users, n, float(users)) for k, ((level, users), n) in every]
            found = best_rate(windows)
            assert found is not None
            assert found.low_per_min is not None
            assert found.high_per_min is not None
            held += found.low_per_min <= 60 <= found.high_per_min
            means.append(found.per_min / 60)
            peaks.append((found.peak_per_min or 0) / 60)
        mean, peak = float(np.mean(means)), float(np.mean(peaks))
        emit("best rate", case=name, runs=runs, mean=mean, rolling_minute=peak, interval_holds_share=held / runs)


ROWS = {"drifting": drifting, "gain": gaining, "plateau": plateau}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    chosen = parser.parse_args()
    if chosen.only in "slow":
        slow(chosen.runs, chosen.seed)
    for name, stops in ROWS.items():
        if chosen.only in name:
            found = 0
            for i in range(chosen.runs):
                found += stops(np.random.default_rng([chosen.seed, i]))
                if (i + 1) % 50 == 0 or i + 1 == chosen.runs:
                    emit("free users", case=name, runs=i + 1, flat=found)
    return 0


if __name__ == "__main__":
    sys.exit(main())

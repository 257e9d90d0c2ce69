"""How far a run's numbers can be trusted, from what its generators knew of themselves.

Windows that the generator, not the endpoint, set the pace of are marked (`measure/marks.py`); marks that persist make
the run `client_limited`. Other reasons make a result doubtful without limiting the load: clamped or clock-stepped
samples, a machine that slept, answers timed partly by the kernel and partly by the process, gaps between windows, lost
workers, a clock that is hardly known. No clock, no I/O.
Source: MLPerf LoadGen's VALID and INVALID with reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from loadtest.core.judge.verdict import Trust
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.marks import (
    LIMITS,
    Limits,
    TrustReason,
    client_limited,
    idle_users,
    local_words,
    persists,
    times_longer,
)
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.core.traffic.plan import Plan

__all__ = ["TrustWatch", "assess"]

AGAIN = 1.01  # of the windows that there were at the last look

LATE = "late-sends"


def assess(plan: Plan, windows: Sequence[Window], workers: Sequence[Worker] = (), limits: Limits = LIMITS) -> Trust:
    """How far a run's numbers can be trusted. windows: all, those of the draining included."""
    traffic = [window for window in windows if window.users and window.length_s > 0]
    if not any(window.completed for window in windows):
        nothing = TrustReason("no-data", "no request completed", "check that the target answers at all")
        return Trust(valid=False, client_limited=False, reasons=(nothing,), figures=_figures(traffic, windows))
    window_s = plan.options.window_s
    marks = [client_limited(w, limits) for w in traffic for _ in range(times_longer(w, window_s))]
    codes = dict.fromkeys(reason.code for found in marks for reason in found)
    limiting = [
        _worst(code, marks)
        for code in codes
        if persists([any(reason.code == code for reason in found) for found in marks], at_once=code == LATE)
    ]
    if not limiting and persists([bool(found) for found in marks]):
        limiting = [_worst(code, marks) for code in codes]
    lost = max([sum(worker.lost for worker in workers), *(window.health.lost_workers for window in windows)])
    doubts = (*_lost_doubts(lost), *_doubts(plan, windows, limits), *_clock_doubts(workers, limits))
    return Trust(
        valid=not limiting and not doubts,
        client_limited=bool(limiting),
        reasons=(*limiting, *doubts),
        figures=_figures(traffic, windows),
    )


class TrustWatch:
    """What `assess` says of a run so far, window by window.

    It is asked again when the run is 1 % longer, so that a long one costs no more per window than a short one.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._windows: list[Window] = []
        self._next = 1.0
        self.trust = Trust(valid=True, client_limited=False)

    def observe(self, window: Window) -> None:
        """Take the next window, in order. Before a request is over, nothing speaks against the run."""
        self._windows.append(window.light())
        if len(self._windows) >= self._next and any(seen.completed for seen in self._windows):
            self._next = AGAIN * len(self._windows)
            self.trust = assess(self._plan, self._windows)


def _worst(code: str, marks: Sequence[tuple[TrustReason, ...]]) -> TrustReason:
    """The reason of the middle marked window, as an example that is neither the best nor the worst; with how often."""
    found = [reason for reasons in marks for reason in reasons if reason.code == code]
    example = sorted(found, key=lambda reason: (len(reason.text), reason.text))[len(found) // 2]
    often = f"{example.text} (in {len(found)} of {len(marks)} windows)"
    return TrustReason(code, often, example.advice)


def _doubts(plan: Plan, windows: Sequence[Window], limits: Limits) -> Iterator[TrustReason]:
    completed = sum(window.completed for window in windows)
    clamped = sum(window.counts.clamped for window in windows)
    if clamped > limits.clamped * completed:
        yield TrustReason(
            "clamped",
            f"{clamped} latencies were outside 1 us to 1 h and count at the border",
            "check the machine's clock",
        )
    counts = Counts.sum((window.counts for window in windows), batches=False)
    unsent = counts.errors.get(Kind.LOCAL.value, 0)
    if unsent > limits.local_run * completed:
        yield TrustReason("local-limit", *local_words(counts))
    elif not counts.ok:
        yield TrustReason("no-data", "no request succeeded", "look at the errors and at the target's address")
    by_process = _user_clock_share(windows)
    if limits.mixed_clock < by_process < 1 - limits.mixed_clock:
        yield TrustReason(
            "user-clock",
            f"{by_process:.0%} of the successes had no kernel timestamp and were timed by the process",
            "their latencies include the generator's own delays",
        )
    steps = [abs(window.health.clock_step_s) > limits.clock_step_s for window in windows]
    if persists(steps):
        worst_s = max((window.health.clock_step_s for window in windows), key=abs)
        yield TrustReason(
            "clock-step",
            f"the wall clock moved against the monotonic one, by {1000 * worst_s:.1f} ms in a window",
            "let the machine's clock settle (NTP) before the test",
        )
    asleep_s = sum(window.health.suspended_s for window in windows)
    if asleep_s > 0:
        yield TrustReason(
            "suspended",
            f"the machine was suspended for {_length(asleep_s)}, a time that is in no figure",
            "connections and credentials seldom outlive it: run again on a machine that is kept awake",
        )
    missing_s = _gaps_s(windows)
    if missing_s > 1.5 * plan.options.window_s:
        yield TrustReason(
            "gap", f"{missing_s:.1f} s of the run are in no window", "windows were lost on their way; run again"
        )


def _lost_doubts(lost: int) -> Iterator[TrustReason]:
    if lost:
        yield TrustReason(
            "lost-workers",
            f"{lost} generator process{'es were' if lost > 1 else ' was'} lost",
            "what they had sent last is missing; look for the reason in their last words and run again",
        )


def _clock_doubts(workers: Sequence[Worker], limits: Limits) -> Iterator[TrustReason]:
    worst = max(workers, key=lambda worker: worker.clock_within_s, default=None)
    if worst is not None and worst.clock_within_s > limits.clock_within_s:
        yield TrustReason(
            "worker-clock",
            f"the clock of worker {worst.index} on {worst.host} is known to {1000 * worst.clock_within_s:.0f} ms only",
            "its users may have started that far from their times; use machines that are nearer to each other",
        )


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _user_clock_share(windows: Sequence[Window]) -> float:
    ok = sum(window.ok for window in windows)
    return sum(window.counts.user_clock for window in windows) / ok if ok else 0.0


def _gaps_s(windows: Sequence[Window]) -> float:
    ordered = sorted(windows, key=lambda window: window.start_s)
    return sum(max(0.0, later.start_s - earlier.end_s) for earlier, later in pairwise(ordered))


def _figures(traffic: Sequence[Window], windows: Sequence[Window]) -> dict[str, float]:
    steady = [(window, idle) for window in traffic if (idle := idle_users(window)) is not None]
    active = sum(window.load.active * window.length_s for window, _ in steady)
    spawned = sum(window.health.spawned for window in windows)
    marked = sum(bool(client_limited(window)) for window in traffic)
    return {
        "cpu_max": max((window.health.cpu for window in traffic), default=0.0),
        "loop_lag_max_s": max((window.health.loop_lag_s for window in traffic), default=0.0),
        "steal_max": max((window.health.steal for window in traffic), default=0.0),
        "spawn_lag_max_s": max((window.health.spawn_lag_max_s for window in windows), default=0.0),
        "spawn_lag_mean_s": sum(window.health.spawn_lag_sum_s for window in windows) / spawned if spawned else 0.0,
        "little_gap": sum(idle * window.length_s for window, idle in steady) / active if active else 0.0,
        "marked_windows": float(marked),
        "windows": float(len(traffic)),
        "user_clock_share": _user_clock_share(windows),
        "clock_step_max_s": max((abs(window.health.clock_step_s) for window in windows), default=0.0),
    }

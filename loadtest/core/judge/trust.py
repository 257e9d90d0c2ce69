"""Was it the endpoint that was measured, or the load generator? Each window by itself, and the run as a whole (S10).

A generator that is out of breath sends less than it should and may read its clock late: throughput then levels out, and
latencies grow, for reasons that are not the endpoint's. So every window carries what the generator knows of itself,
and over a limit it is marked:

    cpu         a generator process used 90 % of one core: a single-threaded loop cannot do more
    loop-lag    the event loop came round 40 ms too late: users waited for the generator
    steal       the host took away a tenth of the CPU time
    spawn-lag   a user started a quarter of a second after its time
    little      users were busy, but not with requests: by Little's law the mean number of requests in flight is
                throughput x latency (and what connections took to be opened, which is the endpoint's time too), and
                without think time it equals the number of active users. Marked if a tenth of the users was missing,
                or a twentieth while the generator used 60 % of its core; less, or below a millisecond per request, is
                what any loop costs
    late-sends  a tenth of an open workload's requests left more than 10 ms after they were due

One marked window is a hiccup, which every machine has; the marks count when they persist (`persists`). Then the run is
`client_limited`: "flat" and "not met" are withheld, because both would blame the endpoint. With kernel timestamps
latencies stay true even then, but the load was not what was planned, so "not met" is withheld all the same.

Other reasons make a result doubtful without limiting the load: clamped or clock-stepped samples, answers timed partly
by the kernel and partly by the process, gaps between windows, lost workers, a worker whose clock is hardly known.
No clock, no I/O.
Sources: Little (1961); MLPerf LoadGen's VALID and INVALID with reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadtest.core.judge.verdict import Trust, TrustReason
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.core.traffic.plan import Plan

__all__ = ["Limits", "assess", "client_limited", "persists"]

IN_A_ROW = 3  # marked windows, or
SHARE = 0.2  # of all windows, if that many are marked
OFTEN = 0.5  # connections a request, which then cost a generator more than the requests


@dataclass(frozen=True, slots=True)
class Limits:
    """Over which figures a window is marked, or a run doubtful."""

    cpu: float = 0.9
    loop_lag_s: float = 0.04
    steal: float = 0.1
    spawn_lag_s: float = 0.25
    little: float = 0.1
    little_busy: float = 0.05
    busy_cpu: float = 0.6
    little_wait_s: float = 0.001
    late_sends: float = 0.1
    clock_step_s: float = 0.001
    clamped: float = 0.001
    mixed_clock: float = 0.01
    clock_within_s: float = 0.05


LIMITS = Limits()


def client_limited(window: Window, limits: Limits = LIMITS) -> tuple[TrustReason, ...]:
    """Why the generator, not the endpoint, set the pace of this window; () if it did not. Draining has no pace."""
    if not window.users or window.length_s <= 0:
        return ()
    return tuple(reason for reason in _marks(window, limits) if reason is not None)


def persists(marks: Iterable[bool]) -> bool:
    """Three marked windows in a row, or three that are a fifth of all: more than hiccups."""
    marked = total = row = longest = 0
    for mark in marks:
        total += 1
        marked += mark
        row = row + 1 if mark else 0
        longest = max(longest, row)
    return longest >= IN_A_ROW or (marked >= IN_A_ROW and marked >= SHARE * total)


def assess(plan: Plan, windows: Sequence[Window], workers: Sequence[Worker] = (), limits: Limits = LIMITS) -> Trust:
    """How far a run's numbers can be trusted. windows: all, those of the draining included."""
    traffic = [window for window in windows if window.users and window.length_s > 0]
    if not any(window.completed for window in windows):
        nothing = TrustReason("no-data", "no request completed", "check that the target answers at all")
        return Trust(valid=False, client_limited=False, reasons=(nothing,), figures=_figures(traffic, windows))
    marks = [client_limited(window, limits) for window in traffic]
    codes = dict.fromkeys(reason.code for found in marks for reason in found)
    limiting = [
        _worst(code, marks)
        for code in codes
        if persists(any(reason.code == code for reason in found) for found in marks)
    ]
    if not limiting and persists(bool(found) for found in marks):
        limiting = [_worst(code, marks) for code in codes]
    lost = max([sum(worker.lost for worker in workers), *(window.health.lost_workers for window in windows)])
    doubts = (*_lost_doubts(lost), *_doubts(plan, windows, limits), *_clock_doubts(workers, limits))
    return Trust(
        valid=not limiting and not doubts,
        client_limited=bool(limiting),
        reasons=(*limiting, *doubts),
        figures=_figures(traffic, windows),
    )


def _marks(window: Window, limits: Limits) -> Iterator[TrustReason | None]:
    health = window.health
    more = f"add --workers {health.workers + 1} if there is a core for each, or use a larger machine"
    if window.connections.connects > OFTEN * window.completed:
        share = min(1.0, window.connections.connects / max(window.completed, 1))
        more = f"{share:.0%} of the requests needed a new connection: let the endpoint keep them open; else {more}"
    yield _over("cpu", health.cpu, limits.cpu, f"the generator used {health.cpu:.0%} of one core", more)
    yield _over(
        "loop-lag",
        window.health.loop_lag_s,
        limits.loop_lag_s,
        f"the generator's event loop was {1000 * window.health.loop_lag_s:.0f} ms late",
        "give the generator a core of its own; a target plug-in must not block or compute for long",
    )
    yield _over(
        "steal",
        window.health.steal,
        limits.steal,
        f"the host took away {window.health.steal:.0%} of the CPU time",
        "use a machine whose cores are its own",
    )
    yield _over(
        "spawn-lag",
        window.health.spawn_lag_max_s,
        limits.spawn_lag_s,
        f"a user started {1000 * window.health.spawn_lag_max_s:.0f} ms late",
        more,
    )
    yield _little(window, limits, more)
    if window.sends.intended:
        behind = window.sends.very_late / window.sends.intended
        yield _over(
            "late-sends", behind, limits.late_sends, f"{behind:.0%} of the requests were sent over 10 ms late", more
        )


def _over(code: str, figure: float, limit: float, text: str, advice: str) -> TrustReason | None:
    return TrustReason(code, text, advice) if figure >= limit else None


def _little(window: Window, limits: Limits, advice: str) -> TrustReason | None:
    """Users without a request in flight; None in windows that are not steady, where the two means differ by nature."""
    idle = _idle_users(window)
    share = limits.little_busy if window.health.cpu >= limits.busy_cpu else limits.little
    if idle is None or not window.completed or idle < share * window.load.active:
        return None
    wait_s = idle * window.length_s / window.completed
    if wait_s < limits.little_wait_s:
        return None
    missing = idle / window.load.active
    text = f"users waited {1000 * wait_s:.1f} ms per request for the generator, {missing:.0%} of their time"
    return TrustReason("little", text, advice)


def _idle_users(window: Window) -> float | None:
    """Mean number of active users without a request in flight; None: not steady, or an open workload."""
    if (
        window.level is None
        or window.sends.intended
        or window.load.active <= 0
        or window.health.spawned
        or window.load.running != window.users
    ):
        return None
    return window.load.active - window.load.in_flight


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
    by_process = _user_clock_share(windows)
    if limits.mixed_clock < by_process < 1 - limits.mixed_clock:
        yield TrustReason(
            "user-clock",
            f"{by_process:.0%} of the successes had no kernel timestamp and were timed by the process",
            "their latencies include the generator's own delays",
        )
    if persists(abs(window.health.clock_step_s) > limits.clock_step_s for window in windows):
        worst_s = max((window.health.clock_step_s for window in windows), key=abs)
        yield TrustReason(
            "clock-step",
            f"the wall clock moved against the monotonic one, by {1000 * worst_s:.1f} ms in a window",
            "let the machine's clock settle (NTP) before the test",
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


def _user_clock_share(windows: Sequence[Window]) -> float:
    ok = sum(window.ok for window in windows)
    return sum(window.counts.user_clock for window in windows) / ok if ok else 0.0


def _gaps_s(windows: Sequence[Window]) -> float:
    ordered = sorted(windows, key=lambda window: window.start_s)
    return sum(max(0.0, later.start_s - earlier.end_s) for earlier, later in pairwise(ordered))


def _figures(traffic: Sequence[Window], windows: Sequence[Window]) -> dict[str, float]:
    steady = [(window, idle) for window in traffic if (idle := _idle_users(window)) is not None]
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

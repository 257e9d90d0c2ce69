"""Was it the endpoint that was measured in a window, or the load generator (S10)?

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
    local       a hundredth of the requests could not be sent: no descriptor, port or memory was left
    late-sends  a tenth of an open workload's requests left more than 10 ms after they were due

One marked window is a hiccup, which every machine has; the marks count when they persist (`persists`). Then the run is
`client_limited`: "flat" and "not met" are withheld, because both would blame the endpoint. With kernel timestamps
latencies stay true even then, but the load was not what was planned, so "not met" is withheld all the same.

No clock, no I/O.
Sources: Little (1961); MLPerf LoadGen's VALID and INVALID with reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loadtest.core.measure.counts import Counts
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window

__all__ = ["LIMITS", "Limits", "TrustReason", "client_limited", "idle_users", "local_words", "persists", "times_longer"]

LOCAL = f"{Kind.LOCAL.value} "
LOCAL_ADVICE = {
    "too many open files": "raise the limit of open files (ulimit -n; its hard limit, too) above the number of users",
    "too many open files on the machine": "raise fs.file-max, or end what holds them",
    "no local address or port free": "let the endpoint keep connections open, widen net.ipv4.ip_local_port_range, or "
    "use workers on other machines",
    "forbidden by a local rule": "look at this machine's firewall",
}
IN_A_ROW = 3  # marked windows, or
SHARE = 0.2  # of all windows, if that many are marked
MOST_TIMES = 1000
OFTEN = 0.5  # connections a request, which then cost a generator more than the requests


@dataclass(frozen=True, slots=True)
class TrustReason:
    """One thing that makes a result doubtful. code: stable, for scripts; text: the fact; advice: what helps."""

    code: str
    text: str
    advice: str


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
    local: float = 0.01
    local_run: float = 0.001
    clock_step_s: float = 0.001
    clamped: float = 0.001
    mixed_clock: float = 0.01
    clock_within_s: float = 0.05


LIMITS = Limits()


def client_limited(window: Window, limits: Limits = LIMITS) -> tuple[TrustReason, ...]:
    """Why the generator, not the endpoint, set the pace of this window; () if it did not. Draining has no pace."""
    if not window.users or window.length_s <= 0:
        return ()
    return tuple(_marks(window, limits))


def times_longer(window: Window, window_s: float) -> int:
    """For how many windows of `window_s` a window stands: one that a stalled generator closed 8 s late is eight."""
    return min(MOST_TIMES, max(1, round(window.length_s / window_s)))


def persists(marks: Sequence[bool], *, at_once: bool = False) -> bool:
    """Three marked windows in a row, or three that are a fifth of all: more than hiccups.

    A window counts as often as it is longer than it should be (`times_longer`): marks are weighed by time.
    at_once: a fifth of all will do, however few they are. So it is of an open workload, whose latencies contain what
    the generator was late: one window of it may hold 300,000 requests, more than enough for a verdict.
    """
    if at_once and sum(marks) > 0 and sum(marks) >= SHARE * len(marks):
        return True
    marked = total = row = longest = 0
    for mark in marks:
        total += 1
        marked += mark
        row = row + 1 if mark else 0
        longest = max(longest, row)
    return longest >= IN_A_ROW or (marked >= IN_A_ROW and marked >= SHARE * total)


def _marks(window: Window, limits: Limits) -> Iterator[TrustReason]:
    # Nearly every window has none, and is asked several times: words are made of what is over its limit only.
    health, sends = window.health, window.sends
    if health.cpu >= limits.cpu:
        yield TrustReason("cpu", f"the generator used {health.cpu:.0%} of one core", _more(window))
    if health.loop_lag_s >= limits.loop_lag_s:
        text = f"the generator's event loop was {1000 * health.loop_lag_s:.0f} ms late"
        advice = "give the generator a core of its own; a target plug-in must not block or compute for long"
        yield TrustReason("loop-lag", text, advice)
    if health.steal >= limits.steal:
        text = f"the host took away {health.steal:.0%} of the CPU time"
        yield TrustReason("steal", text, "use a machine whose cores are its own")
    if health.spawn_lag_max_s >= limits.spawn_lag_s:
        yield TrustReason("spawn-lag", f"a user started {1000 * health.spawn_lag_max_s:.0f} ms late", _more(window))
    if (little := _little(window, limits)) is not None:
        yield little
    unsent = window.counts.errors.get(Kind.LOCAL.value, 0)
    if unsent and unsent >= limits.local * window.completed:
        yield TrustReason("local", *local_words(window.counts))
    if sends.intended and sends.very_late >= limits.late_sends * sends.intended:
        text = f"{sends.very_late / sends.intended:.0%} of the requests were sent over 10 ms late"
        yield TrustReason("late-sends", text, _more(window))


def _more(window: Window) -> str:
    """What gives the generator more to send with."""
    more = f"add --workers {window.health.workers + 1} if there is a core for each, or use a larger machine"
    if window.connections.connects <= OFTEN * window.completed:
        return more
    share = min(1.0, window.connections.connects / max(window.completed, 1))
    return f"{share:.0%} of the requests needed a new connection: let the endpoint keep them open; else {more}"


def local_words(counts: Counts) -> tuple[str, str]:
    """(text, advice) about requests that this machine could not send."""
    found = {name.removeprefix(LOCAL): n for name, n in counts.details.items() if name.startswith(LOCAL)}
    most = max(found, key=lambda name: found[name], default="")
    text = f"{counts.errors.get(Kind.LOCAL.value, 0):,} requests could not be sent by this machine: {most}"
    return text, LOCAL_ADVICE.get(most, "use a larger machine, or fewer users")


def _little(window: Window, limits: Limits) -> TrustReason | None:
    """Users without a request in flight; None in windows that are not steady, where the two means differ by nature."""
    idle = idle_users(window)
    share = limits.little_busy if window.health.cpu >= limits.busy_cpu else limits.little
    if idle is None or not window.completed or idle < share * window.load.active:
        return None
    wait_s = idle * window.length_s / window.completed
    if wait_s < limits.little_wait_s:
        return None
    missing = idle / window.load.active
    text = f"users waited {1000 * wait_s:.1f} ms per request for the generator, {missing:.0%} of their time"
    return TrustReason("little", text, _more(window))


def idle_users(window: Window) -> float | None:
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

"""How many users at which time: a job's traffic pattern as a list of change points.

Pure arithmetic: no clock. Everything that draws, runs, splits or simulates traffic reads this list and
nothing else. Time is seconds from the start of the run.

PHASES (1 user, 2 a minute, 120 s; then 4 users, 0 a minute, 60 s), spawn "smooth" and "per-minute":

    users                                          users
      4 |                  ##################        4 |                        ############
      3 |            ######                          3 |            ############
      2 |      ######                                2 |
      1 |######                                      1 |############
        +-----+-----+-----+-----+-----+-----+-- s      +-----+-----+-----+-----+-----+-----+-- s
        0    30    60    90   120   150   180          0    30    60    90   120   150   180

Smooth: users(t) = floor(A + S (t - T0) / 60) with A initial users, S users per minute, T0 the phase's start
(T3): the changes lie at T0 + 60 k / S. Per minute: A + S floor((t - T0) / 60).

STAIRS (3 steps of 2 users, 90 s), duration "total": step k has k x UsersPerStep users for 90 / 3 s each (T6, T7):

    users
      6 |            ######
      4 |      ######
      2 |######
        +-----+-----+-----+-- s
        0    30    60    90

A curve is half open: at `end_s` the traffic is over, so a change that would fall on it does not happen.
Sources: API pages API_Phase and API_Stairs; developer guide "Run a custom load test"; docs/architecture.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadtest.core.request.spec import Phase, RunOptions, SpawnReading, Stairs, StairsReading, Traffic

__all__ = ["Level", "Step", "TrafficCurve", "curve_of"]


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_s` on there are `users` users."""

    at_s: float
    users: int


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of the curve that results are reported for.

    users: at its end (its maximum while rising); from_users: at its start, equal on a stair. rate_per_s: requests due a
    second, where a search by rate chose it: users is then the limit of those in flight; None: users are the load.
    """

    index: int
    start_s: float
    end_s: float
    users: int
    from_users: int
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class TrafficCurve:
    """Planned users over time. steps: strictly rising in time, the first at 0, each a real change; end_s: the end.

    Raises ValueError if that does not hold: a bad curve cannot exist.
    """

    steps: tuple[Step, ...]
    end_s: float

    def __post_init__(self) -> None:
        times = [step.at_s for step in self.steps]
        if not times or times[0] != 0.0 or any(b <= a for a, b in pairwise(times)):
            raise ValueError("a curve starts at 0 s and its steps follow each other in time")
        if times[-1] >= self.end_s:
            raise ValueError("a curve ends after its last step")
        if any(step.users < 0 for step in self.steps):
            raise ValueError("a curve has no negative users")

    def users_at(self, t_s: float) -> int:
        """Planned users at `t_s`; 0 before the start and from the end on."""
        if not 0 <= t_s < self.end_s:
            return 0
        return self.steps[bisect_right(self.steps, t_s, key=lambda step: step.at_s) - 1].users

    @property
    def peak(self) -> int:
        """The most users at any time."""
        return max(step.users for step in self.steps)

    def changes(self) -> Iterator[tuple[float, int]]:
        """(at_s, users to start if > 0, to stop if < 0), in time order."""
        before = 0
        for step in self.steps:
            yield step.at_s, step.users - before
            before = step.users

    def split(self, parts: int) -> tuple[TrafficCurve, ...]:
        """`parts` curves whose users add up to this one's at every instant, none more than one user apart.

        User k (0, 1, ...) belongs to part k mod `parts`, so every part rises and falls with the whole.
        """
        if parts < 1:
            raise ValueError("a curve is split into at least one part")
        return tuple(
            TrafficCurve(
                _without_repeats(Step(step.at_s, (step.users - part + parts - 1) // parts) for step in self.steps),
                self.end_s,
            )
            for part in range(parts)
        )

    def levels(self, min_length_s: float) -> tuple[Level, ...]:
        """The stretches to report, covering the whole curve.

        A stretch of constant users that is at least `min_length_s` long is a level of its own, whatever is beside it.
        Shorter ones (a fast ramp) are joined with the short ones that follow until they are as long. A rest of them is
        a short level; at the curve's end it joins the ramp before it.
        """
        ends = [step.at_s for step in self.steps[1:]] + [self.end_s]
        pieces: list[list[tuple[Step, float]]] = []
        for step, end_s in zip(self.steps, ends, strict=True):
            plateau = end_s - step.at_s >= min_length_s
            if pieces and not plateau and _length_s(pieces[-1]) < min_length_s:
                pieces[-1].append((step, end_s))
            else:
                pieces.append([(step, end_s)])
        if len(pieces) > 1 and _length_s(pieces[-1]) < min_length_s and len(pieces[-2]) > 1:
            rest = pieces.pop()
            pieces[-1].extend(rest)
        return tuple(
            Level(index, piece[0][0].at_s, piece[-1][1], piece[-1][0].users, piece[0][0].users)
            for index, piece in enumerate(pieces)
        )


def _length_s(piece: Sequence[tuple[Step, float]]) -> float:
    return piece[-1][1] - piece[0][0].at_s


def curve_of(traffic: Traffic, options: RunOptions = RunOptions()) -> TrafficCurve:
    """The curve of a job's traffic, as `options.spawn` and `options.stairs_duration` read it."""
    if isinstance(traffic, Stairs):
        return _stairs(traffic, options.stairs_duration)
    return _phases(traffic, options.spawn)


def _phases(phases: Sequence[Phase], spawn: SpawnReading) -> TrafficCurve:
    steps: list[Step] = []
    start_s = 0
    for phase in phases:
        steps.append(Step(float(start_s), phase.initial_users))
        per_change = 1 if spawn == "smooth" else phase.spawn_rate_per_min
        change = 1
        # 60 k / S < duration, in integers: no rounding decides whether the last user is started.
        while phase.spawn_rate_per_min and 60 * change * per_change < phase.duration_s * phase.spawn_rate_per_min:
            at_s = start_s + 60 * change * per_change / phase.spawn_rate_per_min
            steps.append(Step(at_s, phase.initial_users + change * per_change))
            change += 1
        start_s += phase.duration_s
    return TrafficCurve(_without_repeats(steps), float(start_s))


def _stairs(stairs: Stairs, reading: StairsReading) -> TrafficCurve:
    end_s = stairs.duration_s * (stairs.steps if reading == "per-step" else 1)
    return TrafficCurve(
        tuple(Step(end_s * k / stairs.steps, (k + 1) * stairs.users_per_step) for k in range(stairs.steps)),
        float(end_s),
    )


def _without_repeats(steps: Sequence[Step] | Iterator[Step]) -> tuple[Step, ...]:
    kept: list[Step] = []
    for step in steps:
        if not kept or step.users != kept[-1].users:
            kept.append(step)
    return tuple(kept)

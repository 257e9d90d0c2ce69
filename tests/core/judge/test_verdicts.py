"""What decides while a run goes, and what its result says, are the same object: over random curves and streams."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from windows import flat_window

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.verdicts import overall, verdicts
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, Phase, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef

P95 = LatencyThreshold(0.95, 100)
PHASES = st.lists(st.builds(Phase, st.integers(1, 9), st.integers(0, 60), st.integers(5, 90)), min_size=1, max_size=3)


def plan_of(phases: list[Phase]) -> Plan:
    return Plan(curve_of(tuple(phases)), StopConditions(latency=P95, flat_stops=False), TargetRef("mock:"))


def stream(plan: Plan, shares: np.ndarray, per_s: int, seed: int) -> list[Window]:
    """A window a second; shares[second] of the requests are over the limit."""
    rng, levels, found = np.random.default_rng(seed), plan_levels(plan), []
    for i in range(int(plan.end_s)):
        flags = rng.random(per_s) < shares[i % len(shares)]
        batches = tuple((len(part), int(part.sum())) for part in np.array_split(flags, max(1, min(40, per_s // 10))))
        users = plan.curve.users_at(i)
        members = {"level": level_of(levels, i, i + 1), "users": users, "running": users, "active": float(users)}
        found.append(
            flat_window(i, in_flight=float(users), ok=per_s, over=int(flags.sum()), over_batches=batches, **members)
        )
    return found


def live(plan: Plan, windows: list[Window]) -> tuple[Stop | None, list[Window]]:
    """(the stop, the windows until then)."""
    controller = Controller(plan)
    for i, window in enumerate(windows, 1):
        controller.observe(window)
        decision = controller.tick(window.end_s)
        if isinstance(decision, Stop):
            return decision, windows[:i]
    return None, windows


@settings(max_examples=12, deadline=None)
@given(
    PHASES,
    st.lists(st.sampled_from([0.0, 0.02, 0.05, 0.08, 0.2, 0.9]), min_size=1, max_size=40),
    st.integers(5, 200),
    st.integers(0, 1000),
)
def test_live_and_replay_agree(phases: list[Phase], shares: list[float], per_s: int, seed: int) -> None:
    plan = plan_of(phases)
    stop, seen = live(plan, stream(plan, np.array(shares), per_s, seed))
    found = verdicts(plan, seen)
    whole = overall(plan, seen, found)
    broken = [verdict for verdict in found if verdict.answer == "not met"]
    if stop is not None and stop.reason is Reason.LATENCY:
        assert broken
        assert whole is not None
        assert whole.answer == "not met"
        assert broken[-1].decided_at_s == stop.evidence["decided_at_s"]
        assert broken[-1].rule == stop.evidence["rule"]
    else:
        assert broken == []
        assert whole is None or whole.answer != "not met"


def test_a_dip_in_a_ramp_is_judged_once() -> None:
    """2 % over with one dip of 2 s at 8 %, 2,000 requests a second: the run went on, and its result said not met."""
    plan = plan_of([Phase(1, 60, 120)])
    shares = np.full(120, 0.02)
    shares[60:62] = 0.08
    stop, seen = live(plan, stream(plan, shares, 2000, 1))
    assert stop is not None
    assert stop.reason is Reason.CURVE_END
    whole = overall(plan, seen, verdicts(plan, seen))
    assert whole is not None
    assert whole.answer == "met"


def test_a_plateau_is_no_ramp_whatever_is_beside_it() -> None:
    """3 users for a second, then 10 for a minute, were one level "3-10" that was judged as a ramp."""
    for phases in ([Phase(3, 0, 1), Phase(10, 0, 60)], [Phase(10, 0, 60), Phase(3, 0, 1)]):
        levels = plan_levels(plan_of(phases))
        assert [(level.users, level.from_users, level.end_s - level.start_s) for level in levels] == [
            (phase.initial_users, phase.initial_users, phase.duration_s) for phase in phases
        ]

"""Traffic curves: the numbers of the module's charts, both readings, splitting and levels."""

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.request.spec import Phase, RunOptions, Stairs
from loadtest.core.traffic.curve import Level, Step, TrafficCurve, curve_of

DOC_PHASES = (Phase(1, 2, 120), Phase(4, 0, 60))
DOC_STAIRS = Stairs(users_per_step=2, steps=3, duration_s=90)
PER_MINUTE = RunOptions(spawn="per-minute")
PER_STEP = RunOptions(stairs_duration="per-step")


def points(curve):
    return [(step.at_s, step.users) for step in curve.steps], curve.end_s


@pytest.mark.parametrize(
    ("traffic", "options", "steps", "end_s"),
    [
        # The charts of the module's docstring.
        (DOC_PHASES, RunOptions(), [(0, 1), (30, 2), (60, 3), (90, 4)], 180),
        (DOC_PHASES, PER_MINUTE, [(0, 1), (60, 3), (120, 4)], 180),
        (DOC_STAIRS, RunOptions(), [(0, 2), (30, 4), (60, 6)], 90),
        # The developer guide's stairs: 600 s and 5 steps are 120 s each; per step, 600 s each.
        (Stairs(1, 5, 600), RunOptions(), [(0, 1), (120, 2), (240, 3), (360, 4), (480, 5)], 600),
        (Stairs(1, 5, 600), PER_STEP, [(0, 1), (600, 2), (1200, 3), (1800, 4), (2400, 5)], 3000),
        # Real division.
        (Stairs(1, 3, 100), RunOptions(), [(0, 1), (100 / 3, 2), (200 / 3, 3)], 100),
        # The change that would fall on the end does not happen; a fraction of a user neither.
        ((Phase(1, 1, 120),), RunOptions(), [(0, 1), (60, 2)], 120),
        ((Phase(1, 1, 121),), RunOptions(), [(0, 1), (60, 2), (120, 3)], 121),
        ((Phase(3, 0, 120),), RunOptions(), [(0, 3)], 120),
        ((Phase(1, 7, 20),), RunOptions(), [(0, 1), (60 / 7, 2), (120 / 7, 3)], 20),
        # A later phase is absolute: up, down and equal to where the one before stood.
        ((Phase(1, 1, 120), Phase(5, 0, 60)), RunOptions(), [(0, 1), (60, 2), (120, 5)], 180),
        ((Phase(1, 1, 120), Phase(1, 0, 60)), RunOptions(), [(0, 1), (60, 2), (120, 1)], 180),
        ((Phase(1, 1, 120), Phase(2, 0, 60)), RunOptions(), [(0, 1), (60, 2)], 180),
    ],
)
def test_change_points(traffic, options, steps, end_s):
    assert points(curve_of(traffic, options)) == (steps, end_s)


@pytest.mark.parametrize(
    ("t_s", "users"), [(-1, 0), (0, 1), (29.999, 1), (30, 2), (90, 4), (179.999, 4), (180, 0), (181, 0)]
)
def test_users_at_is_half_open(t_s, users):
    assert curve_of(DOC_PHASES).users_at(t_s) == users


def test_peak_and_changes():
    curve = curve_of((Phase(3, 0, 60), Phase(1, 1, 61)))
    assert curve.peak == 3
    assert list(curve.changes()) == [(0, 3), (60, -2), (120, 1)]


@pytest.mark.parametrize(
    ("steps", "end_s"),
    [
        ((), 1.0),
        ((Step(1.0, 1),), 2.0),
        ((Step(0.0, 1), Step(0.0, 2)), 2.0),
        ((Step(0.0, 1), Step(2.0, 2), Step(1.0, 3)), 3.0),
        ((Step(0.0, 1), Step(2.0, 2)), 2.0),
        ((Step(0.0, -1),), 2.0),
    ],
)
def test_a_bad_curve_cannot_exist(steps, end_s):
    with pytest.raises(ValueError, match="a curve"):
        TrafficCurve(steps, end_s)


PHASES = st.lists(st.builds(Phase, st.integers(1, 30), st.integers(0, 90), st.integers(1, 300)), min_size=1, max_size=4)
TRAFFIC = PHASES.map(tuple) | st.builds(Stairs, st.integers(1, 9), st.integers(1, 30), st.integers(1, 3600))
OPTIONS = st.builds(
    RunOptions, spawn=st.sampled_from(["smooth", "per-minute"]), stairs_duration=st.sampled_from(["total", "per-step"])
)


@given(TRAFFIC, OPTIONS, st.integers(1, 9))
def test_parts_add_up_at_every_instant(traffic, options, count):
    curve = curve_of(traffic, options)
    parts = curve.split(count)
    assert len(parts) == count
    assert {part.end_s for part in parts} == {curve.end_s}
    instants = {step.at_s for each in (curve, *parts) for step in each.steps} | {curve.end_s}
    for at_s in instants:
        shares = [part.users_at(at_s) for part in parts]
        assert sum(shares) == curve.users_at(at_s)
        assert max(shares) - min(shares) <= 1
    assert list(parts) == sorted(parts, key=lambda part: -part.peak)


def test_a_curve_is_not_split_into_no_parts():
    with pytest.raises(ValueError, match="at least one part"):
        curve_of(DOC_STAIRS).split(0)


@given(st.integers(1, 30), st.integers(0, 90), st.integers(1, 600), st.floats(0, 1, exclude_max=True))
def test_users_follow_the_formula(users, per_min, length_s, share):
    t_s = int(share * length_s)  # whole seconds, where the formula is exact in integers
    phase = (Phase(users, per_min, length_s),)
    assert curve_of(phase).users_at(t_s) == users + per_min * t_s // 60
    assert curve_of(phase, PER_MINUTE).users_at(t_s) == users + per_min * (t_s // 60)


@pytest.mark.parametrize(
    ("traffic", "min_length_s", "levels"),
    [
        (DOC_STAIRS, 10, [(0, 30, 2, 2), (30, 60, 4, 4), (60, 90, 6, 6)]),
        # A fast ramp is joined until it is long enough; the long rest is a level of its own.
        ((Phase(1, 60, 10), Phase(10, 0, 60)), 5, [(0, 5, 5, 1), (5, 9, 9, 6), (9, 70, 10, 10)]),
        # A short rest at the end joins the level before it.
        ((Phase(1, 60, 7),), 5, [(0, 7, 7, 1)]),
        ((Phase(1, 0, 3),), 5, [(0, 3, 1, 1)]),
    ],
)
def test_levels(traffic, min_length_s, levels):
    found = curve_of(traffic).levels(min_length_s)
    assert found == tuple(Level(i, *level) for i, level in enumerate(levels))


@given(TRAFFIC, OPTIONS, st.floats(0.1, 120))
def test_levels_cover_the_curve(traffic, options, min_length_s):
    curve = curve_of(traffic, options)
    levels = curve.levels(min_length_s)
    assert [level.index for level in levels] == list(range(len(levels)))
    assert (levels[0].start_s, levels[-1].end_s) == (0, curve.end_s)
    assert all(a.end_s == b.start_s for a, b in pairwise(levels))
    assert all(level.from_users == curve.users_at(level.start_s) for level in levels)


def test_values_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve_of(DOC_STAIRS).end_s = 1.0  # type: ignore[misc]

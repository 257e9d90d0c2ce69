"""How the slow requests of a run came: spells, the worst of them, cold starts; two answers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from windows import flat_frame

from loadtest.cli.existing import Existing
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.slow import SlowRequests, slow_after_scaling
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.request.spec import LatencyThreshold, Stairs, StopConditions
from loadtest.core.result.result import RunResult, build_result
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef


def result_of(shares: list[float], threshold: LatencyThreshold | None = LatencyThreshold(0.95, 100)) -> RunResult:
    """A stair each minute, 50 requests a second; shares[second] of them take 150 ms, the others 50 ms."""
    curve = curve_of(Stairs(2, len(shares) // 60, len(shares)))
    plan = Plan(curve, StopConditions(latency=threshold, flat_stops=False), TargetRef("mock:"))
    levels, recorder, windows = plan_levels(plan), Recorder(100_000_000), []
    for i, share in enumerate(shares):
        slow = np.zeros(50, bool)
        slow[: round(50 * share)] = True
        for each in np.random.default_rng(i).permutation(slow):
            ns = 150_000_000 if each else 50_000_000
            recorder.record(Outcome(Kind.OK, 200, 0, 0, ns, ns))
        users = curve.users_at(i)
        windows.append(recorder.take(flat_frame(i, i, i + 1.0, level_of(levels, i, i + 1.0), users, users, users)))
    return build_result(plan, windows, Stop(Reason.CURVE_END), stopped_at_s=float(len(shares)))


def test_two_answers_the_run_and_its_worst_spell() -> None:
    shares = [0.0] * 120
    shares[20:22], shares[80:84] = [1.0] * 2, [0.9] * 4
    result = result_of(shares)
    assert result.overall is not None
    assert result.overall.answer == "undecided", "4.7 % over, in two spells"
    assert "spells of 5 s on average are assumed, this run holds 24 of them" in result.overall.assumed
    slow = result.slow
    assert slow is not None
    assert (slow.n, slow.over, slow.spells, slow.spell_over) == (6000, 280, 2, 280)
    assert (slow.mean_s, slow.longest_s) == (3.0, 4.0)
    assert slow.worst is not None
    assert (slow.worst.start_s, slow.worst.length_s, slow.worst.over, slow.worst.level) == (80.0, 4.0, 180, 1)
    assert slow.worst.value_ms == pytest.approx(150, rel=1e-2)
    assert slow.cold_starts == ()


def test_a_cold_start_is_judged_apart() -> None:
    result = result_of([1.0] * 3 + [0.0] * 117)
    assert result.overall is not None
    assert result.overall.answer == "met"
    assert result.slow is not None
    assert result.slow.over == 0
    (cold,) = result.slow.cold_starts
    assert (cold.start_s, cold.length_s, cold.over, cold.level) == (0.0, 3.0, 150, 0)
    again = RunResult.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again.slow == result.slow


def test_slow_requests_that_come_alone_are_no_spell() -> None:
    slow = result_of([0.04] * 120).slow
    assert slow is not None
    assert (slow.over, slow.spells, slow.worst, slow.longest_s) == (240, 0, None, 0.0)


def test_without_a_threshold_nothing_is_slow() -> None:
    assert result_of([0.0] * 60, threshold=None).slow is None


def test_the_spell_of_a_scale_out_is_named() -> None:
    shares = [1.0] * 2 + [0.0] * 118
    shares[40:42], shares[80:84] = [1.0] * 2, [0.9] * 4
    result = result_of(shares)
    assert result.slow is not None
    assert result.slow.scale_outs == ()
    named = slow_after_scaling(result.slow, result.plan, result.windows, [5.0, 90.0], 30.0)
    (spell,) = named.scale_outs
    assert (spell.start_s, spell.length_s, spell.over, spell.level) == (80.0, 4.0, 180, 1)
    assert spell.value_ms == pytest.approx(150, rel=1e-2)
    assert named.cold_starts, "that of the run stays one"
    again = RunResult.from_dict(json.loads(json.dumps(replace(result, slow=named).to_dict())))
    assert again.slow == named
    older = {name: value for name, value in named.to_dict().items() if name != "scale_outs"}
    assert SlowRequests.from_dict(older).scale_outs == ()


def test_the_runs_result_names_it_when_instances_were_seen_to_come() -> None:
    shares = [0.0] * 120
    shares[80:84] = [0.9] * 4
    result = replace(result_of(shares), started_at=1_760_000_000.0)
    change = {"at": 1_760_000_095.0, "variant": "v", "from": 1, "to": 2}
    slow = Existing({"changes": [change]}).completed(result).slow
    assert slow is not None
    assert [each.start_s for each in slow.scale_outs] == [80.0]
    fewer = Existing({"changes": [{**change, "from": 2, "to": 1}]}).completed(result).slow
    assert fewer is not None
    assert fewer.scale_outs == ()

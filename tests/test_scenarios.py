"""Every scenario ends for the reason its name says: in virtual time all of them, live the short one."""

from __future__ import annotations

import json

import pytest
from places import ROOT

import loadtest
from loadtest.jobfile.jobfile import load_job

SCENARIOS = ROOT / "scenarios"
REASONS = {
    "phases": "CURVE_END",
    "quickstart": "FLAT",
    "short": "CURVE_END",
    "stop-curve-end": "CURVE_END",
    "stop-errors": "ERRORS",
    "stop-flat": "FLAT",
    "stop-job-duration": "JOB_DURATION",
    "stop-latency": "LATENCY",
    "stop-max-invocations": "MAX_INVOCATIONS",
    "stop-target-down": "TARGET_DOWN",
}


def test_every_scenario_has_its_reason_here() -> None:
    assert {path.stem for path in SCENARIOS.glob("*.json")} == set(REASONS)


@pytest.mark.parametrize("name", sorted(REASONS))
def test_in_virtual_time_it_ends_for_its_reason(name: str) -> None:
    result = loadtest.simulate(str(SCENARIOS / f"{name}.json"))
    assert result.reason.value == REASONS[name]
    assert result.trust.valid == (result.totals.ok > 0)
    assert not result.trust.client_limited


@pytest.mark.parametrize("name", sorted(REASONS))
def test_without_its_extra_member_it_is_a_plain_request(name: str) -> None:
    job, spec = load_job(SCENARIOS / f"{name}.json", "relaxed")
    assert job.loadtest.target is not None
    assert "Loadtest" not in spec.request
    assert spec.request == {k: v for k, v in json.loads(job.text).items() if k != "Loadtest"}


def test_the_knee_of_quickstart_is_found_in_virtual_time() -> None:
    result = loadtest.simulate(str(SCENARIOS / "quickstart.json"))
    for level in result.levels:
        if level.windows:
            assert level.throughput_per_s == pytest.approx(min(level.users, 4) / 0.04, rel=0.02)
    assert result.max_invocations_per_min == pytest.approx(4 / 0.04 * 60, rel=0.02)


@pytest.mark.live
def test_live_the_short_one_agrees_with_theory() -> None:
    result = loadtest.run(str(SCENARIOS / "short.json"))
    assert result.reason.value == "CURVE_END"
    assert result.totals.errors == 0
    for level in result.levels:
        # Above by no means; below by what a loaded machine adds to 40 ms.
        assert 0.6 * level.users / 0.04 < level.throughput_per_s < 1.02 * level.users / 0.04

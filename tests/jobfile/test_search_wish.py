"""`Loadtest.search` of a scenario: every member, what it becomes, and what is wrong with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import loadtest
from loadtest.core.request.search import SearchSettings
from loadtest.core.traffic.plan import Plan
from loadtest.errors import SpecError

ROOT = Path(__file__).parents[2]
JOB = json.loads((ROOT / "scenarios" / "stop-latency.json").read_text())


def planned(tmp_path: Path, search: object, **members: object) -> Plan:
    own = {name: value for name, value in JOB.get("Loadtest", {}).items() if name != "search"}
    (tmp_path / "job.json").write_text(json.dumps({**JOB, "Loadtest": {**own, "search": search, **members}}))
    return loadtest.plan(tmp_path / "job.json")


def asked(tmp_path: Path, **search: object) -> SearchSettings:
    found = planned(tmp_path, search).search
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ({}, {"by": "users", "within": 0.05, "confidence": 0.95, "budget_s": 600, "max_load": 1000, "start": 1}),
        ({"within": 0.1}, {"within": 0.1}),
        ({"confidence": 0.99}, {"confidence": 0.99}),
        ({"budget_s": 120}, {"budget_s": 120}),
        ({"by": "users", "max_users": 40}, {"by": "users", "max_load": 40}),
        ({"by": "rate"}, {"by": "rate", "max_load": 10_000}),
        ({"by": "rate", "max_rate_per_s": 250.5}, {"by": "rate", "max_load": 250.5}),
        ({"thresholds": ["error_rate<2%"]}, {"max_error_ratio": 0.02}),
    ],
    ids=lambda each: ", ".join(each) or "nothing",
)
def test_each_member_becomes_a_setting(tmp_path: Path, given: dict[str, Any], becomes: dict[str, Any]) -> None:
    found = asked(tmp_path, **given)
    assert {name: getattr(found, name) for name in becomes} == becomes


def test_thresholds_hold_besides_the_jobs_own(tmp_path: Path) -> None:
    own = loadtest.parse(ROOT / "scenarios" / "stop-latency.json").stop.latency
    assert own is not None
    found = asked(tmp_path, thresholds=["p99<500ms", "p50<0.1s"])
    assert [(each.percentile, each.limit_ms) for each in found.objectives] == [
        (own.percentile, own.limit_ms),
        (0.99, 500),
        (0.5, 100),
    ]


def test_the_plan_is_a_search_in_place_of_the_traffic(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"budget_s": 60})
    assert (plan.curve.peak, plan.end_s, plan.arrivals) == (1, 60, None)
    by_rate = planned(tmp_path, {"by": "rate", "budget_s": 60})
    assert by_rate.arrivals is not None
    assert (by_rate.arrivals.rate_per_s, by_rate.end_s) == (1, 60)


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("by", "luck"),
        ("within", 0),
        ("within", 0.6),
        ("confidence", 0.4),
        ("confidence", 1),
        ("budget_s", 4),
        ("budget_s", "1m"),
        ("max_users", 0),
        ("max_users", 1.5),
        ("max_rate_per_s", 0.5),
        ("thresholds", "p95<1s"),
        ("thresholds", [1]),
        ("thresholds", ["p95>1s"]),
        ("budget", 60),
    ],
)
def test_a_wrong_value_is_told_with_its_path(tmp_path: Path, member: str, wrong: object) -> None:
    with pytest.raises(SpecError) as caught:
        planned(tmp_path, {member: wrong})
    assert [problem.path.partition("[")[0] for problem in caught.value.problems] == [f"Loadtest.search.{member}"]


@pytest.mark.parametrize("wrong", [True, [], "p95<1s"])
def test_it_is_an_object(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(SpecError, match="must be an object"):
        planned(tmp_path, wrong)


def test_a_limit_of_the_other_kind_of_load_is_a_problem(tmp_path: Path) -> None:
    for search in ({"max_rate_per_s": 5}, {"by": "rate", "max_users": 5}):
        with pytest.raises(SpecError):
            planned(tmp_path, search)


def test_the_docs_have_every_member_with_its_bounds() -> None:
    text = (ROOT / "docs" / "capacity.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text.partition("| member of `search` |")[2], re.MULTILINE))
    assert set(rows) == {"thresholds", "by", "within", "confidence", "budget_s", "max_users", "max_rate_per_s"}
    for name, ends in {
        "within": ("0.001", "0.5"),
        "confidence": ("0.5", "0.999"),
        "budget_s": ("5", "86,400"),
        "max_users": ("1", "100,000"),
        "max_rate_per_s": ("1", "1,000,000"),
    }.items():
        assert all(end in rows[name] for end in ends), name

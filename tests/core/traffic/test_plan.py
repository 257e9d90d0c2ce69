"""A plan goes through JSON and comes out the same."""

import json

import pytest

from loadtest.core.request.spec import LatencyThreshold, Phase, RunOptions, Stairs, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef

CURVE = curve_of(Stairs(2, 3, 100))
PLANS = [
    Plan(CURVE, StopConditions(), TargetRef("mock:servers=4")),
    Plan(
        curve_of((Phase(1, 7, 20),)),
        StopConditions(300, LatencyThreshold(0.95, 100), flat_stops=False, max_error_ratio=0.01),
        TargetRef("sagemaker:e", {"region": "eu-west-1", "connect_timeout_s": 1.5}),
        PayloadSource("/tmp/a.tar.gz", "text/csv"),
        RunOptions(spawn="per-minute", window_s=0.1, seed=2**63 - 1),
        limit_s=12.5,
        workers=3,
    ),
]


@pytest.mark.parametrize("plan", PLANS)
def test_round_trip_through_json(plan):
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    assert again.digest() == plan.digest()
    assert again.curve.split(2) == plan.curve.split(2)


def test_the_digest_tells_plans_apart():
    digests = {plan.digest() for plan in PLANS}
    digests.add(Plan(CURVE, StopConditions(), TargetRef("mock:servers=4"), workers=2).digest())
    digests.add(Plan(CURVE, StopConditions(), TargetRef("mock:servers=4"), options=RunOptions(seed=2)).digest())
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize(("limit_s", "end_s"), [(None, 100), (40.0, 40), (400.0, 100)])
def test_the_end_is_the_curve_s_or_the_limit(limit_s, end_s):
    assert Plan(CURVE, StopConditions(), TargetRef("mock"), limit_s=limit_s).end_s == end_s


def test_a_target_reference_has_its_own_options():
    assert TargetRef("a").options is not TargetRef("b").options


def test_headers_that_may_name_a_person_are_not_in_what_is_shown() -> None:
    options = {"custom_attributes": "user=ann", "session_id": "s-1", "inference_id": None, "target_model": "m"}
    plan = Plan(curve_of((Phase(1, 0, 60),)), StopConditions(), TargetRef("sagemaker:ep", options))
    shown = json.dumps(plan.shown())
    assert "ann" not in shown
    assert "s-1" not in shown
    assert plan.shown()["target"]["options"]["target_model"] == "m"
    assert plan.to_dict()["target"]["options"] == options, "the generator gets them"

"""From a run's result to the API's figures: the published rows, the search's plateau, the order, the scaling."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from jobkit import DATA, window
from results import result_with

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.request.parse import parse_job
from loadtest.core.request.spec import JobSpec, LatencyThreshold, Serverless, StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, search_plan
from loadtest.engine.sim import simulate
from loadtest.jobs.errors import ApiError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.fleet_file import FleetFile, SearchPlan
from loadtest.jobs.fleet_model import Behaviour
from loadtest.jobs.models import ModelFacts, facts_of
from loadtest.jobs.outcome import Figures, failure_text, figures_of, recommendation_metrics, step_status_of
from loadtest.jobs.prices import Prices
from loadtest.jobs.ranking import ranked
from loadtest.jobs.rows import StepRow
from loadtest.jobs.scaling import scaling_configuration
from loadtest.jobs.search import default_tests, search_of
from loadtest.jobs.status import Status

FLEET = Fleet.load(live=False)
OBSERVED = json.loads((DATA / "observed-results.json").read_text())


@pytest.mark.parametrize("row", OBSERVED, ids=lambda row: f"{row['instance']}-{row['max_invocations']}")
def test_published_rows_obey_the_formulas(row: dict[str, Any]) -> None:
    per_instance = row["max_invocations"] / row["count"]
    metrics, count = recommendation_metrics(
        Figures(per_instance, row["model_latency"], 1.0),
        instance_type=row["instance"],
        serverless=None,
        behaviour=None,
        prices=Prices({row["instance"]: row["cost_per_hour"] / row["count"]}),
        target_per_min=row["max_invocations_target"],
    )
    assert count == row["count"]
    assert metrics["MaxInvocations"] == row["max_invocations"]
    assert metrics["ModelLatency"] == row["model_latency"]
    assert metrics["CostPerHour"] == float(np.float32(row["cost_per_hour"]))
    if "cost_per_inference" in row:
        # Some rows were printed with few digits.
        digits = row.get("cost_per_inference_digits", len(str(row["cost_per_inference"]).split("e")[0]) - 1)
        assert metrics["CostPerInference"] == pytest.approx(row["cost_per_inference"], rel=10.0 ** (1 - min(digits, 7)))


def behaviour(**changes: Any) -> Behaviour:
    values = {"servers": 4, "service_ms": 20.0, "sigma": 0.2, "queue": 10, "cold_start_ms": 0.0, "work_s": 0.02}
    return Behaviour(**{**values, "vcpu": 4, "memory_percent": 33.333, "serverless": False, **changes})


def test_what_is_not_known_is_absent() -> None:
    arguments: dict[str, Any] = {"instance_type": "ml.c4.xlarge", "serverless": None, "target_per_min": None}
    metrics, _ = recommendation_metrics(Figures(600.9, 20.2, 20.0), behaviour=None, prices=FLEET.prices, **arguments)
    assert metrics == {"MaxInvocations": 600, "ModelLatency": 21}
    metrics, _ = recommendation_metrics(Figures(600.0, 20.0, 20.0), behaviour=behaviour(), prices=Prices(), **arguments)
    assert metrics == {"MaxInvocations": 600, "ModelLatency": 20, "CpuUtilization": 20.0, "MemoryUtilization": 33.33}


def test_serverless_costs_by_memory_and_time() -> None:
    serverless = behaviour(serverless=True, cold_start_ms=1500.0)
    metrics, count = recommendation_metrics(
        Figures(600.0, 500.0, 100.0),  # the threshold ended the test: that is no time that anybody pays for
        instance_type=None,
        serverless=Serverless(2048, 5),
        behaviour=serverless,
        prices=FLEET.prices,
        target_per_min=5000,
    )
    assert count == 1
    assert metrics["CostPerInference"] == pytest.approx(2 * 0.00002 * 0.1, rel=1e-6)
    assert metrics["CostPerHour"] == pytest.approx(metrics["CostPerInference"] * 36_000, rel=1e-6)
    assert metrics["ModelSetupTime"] == 1_500_000
    assert "CpuUtilization" not in metrics


def result(reason: Reason, *, ok: int = 100, latency_ms: float = 20.0, threshold_ms: int | None = None) -> RunResult:
    stop = StopConditions(latency=None if threshold_ms is None else LatencyThreshold(0.95, threshold_ms))
    plan = Plan(TrafficCurve((Step(0.0, 1),), 120.0), stop, TargetRef("mock:"))
    windows = [window(i, ok=ok, latency_ms=latency_ms) for i in range(7)]
    return result_with(plan, windows, Stop(reason))


def test_a_threshold_that_ended_the_test_is_the_reported_latency() -> None:
    figures = figures_of(result(Reason.LATENCY, threshold_ms=100))
    assert figures is not None
    assert (figures.per_min, figures.latency_ms, figures.estimated) == (600.0, 100.0, False)
    assert figures.mean_ms == pytest.approx(20.0, rel=1e-3), "as measured"
    assert figures.sure_per_min is not None
    assert 590 < figures.sure_per_min < 600, "the lower end, for the number of instances"
    assert figures_of(result(Reason.CURVE_END, ok=0)) is None


def test_a_search_that_found_nothing_to_report_has_failed() -> None:
    searching = Plan(TrafficCurve((Step(0.0, 1),), 120.0), StopConditions(), TargetRef("mock:"))
    failing = simulate(replace(search_plan(searching, SETTINGS), target=TargetRef("mock:error_ratio=0.3")))
    assert (failing.reason, failing.capacity and failing.capacity.finding) == (Reason.CAPACITY, "below start")
    assert figures_of(failing) is None
    assert step_status_of(failing, None) is Status.FAILED
    assert "more requests failed than the error budget allows; InvokeEndpoint: " in failure_text(failing)
    errors = result(Reason.ERRORS)
    assert step_status_of(errors, Figures(1.0, 1.0, 1.0)) is Status.FAILED
    assert step_status_of(result(Reason.CURVE_END), None) is Status.COMPLETED


def test_failures_are_told_with_their_cause() -> None:
    assert (
        failure_text(result(Reason.TARGET_DOWN)) == "The load test ended because no request succeeded, or none any more"
    )
    lost = result_with(result(Reason.CURVE_END).plan, [], Stop(Reason.ENGINE_LOST, {"why": "signal 9"}))
    assert failure_text(lost).endswith("the load generator was lost; signal 9")


# The search of Default jobs


SETTINGS = search_of(FleetFile.load().search)


def test_the_fleet_file_bounds_the_search() -> None:
    assert (SETTINGS.start, SETTINGS.max_load, SETTINGS.level_s, SETTINGS.budget_s) == (1, 48, 20, 220)
    assert (SETTINGS.goal, SETTINGS.max_error_ratio) == ("plateau", 0.01)
    few = search_of(SearchPlan((2, 6), 5.0))
    assert (few.start, few.max_load, few.budget_s) == (2, 6, 20.0), "time enough to find one at all"


def default_job(**container: Any) -> tuple[JobSpec, ModelFacts]:
    config = {"Domain": "MACHINE_LEARNING", "Task": "OTHER", "PayloadConfig": {"SamplePayloadUrl": "s3://b/p.tar.gz"}}
    request = {
        "JobName": "d",
        "JobType": "Default",
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "InputConfig": {"ModelName": "m", "ContainerConfig": {**config, "Framework": "XGBOOST", **container}},
    }
    return parse_job(request), facts_of(request, None)


SERVERLESS = [
    "serverless 2048 MB x 10",
    "serverless 4096 MB x 10",
    "serverless 6144 MB x 10",
]
XGBOOST_TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge", "ml.c5.2xlarge"]


@pytest.mark.parametrize(
    ("container", "labels"),
    [
        ({}, [*XGBOOST_TYPES, *SERVERLESS]),
        ({"SupportedEndpointType": "RealTime"}, XGBOOST_TYPES),
        ({"SupportedEndpointType": "Serverless"}, SERVERLESS),
        ({"SupportedInstanceTypes": ["ml.c5.large", "ml.c5.large", "ml.m5.large"]}, ["ml.c5.large", "ml.m5.large"]),
        ({"SupportedInstanceTypes": ["ml.c5.large"], "SupportedEndpointType": "Serverless"}, SERVERLESS),
    ],
)
def test_what_a_default_job_tries(container: dict[str, Any], labels: list[str]) -> None:
    tests, over_limit = default_tests(*default_job(**container), FleetFile.load())
    assert over_limit == ()
    assert [test.label for test in tests] == labels
    assert [test.index for test in tests] == list(range(len(labels)))


def test_a_default_job_tries_ten_at_most() -> None:
    known = sorted(FLEET.catalogue.known)[:15]
    spec, facts = default_job(SupportedInstanceTypes=known)
    assert [test.label for test in default_tests(spec, facts, FleetFile.load())[0]] == known[:10]


def test_a_default_job_keeps_to_its_own_configurations_and_limit() -> None:
    spec, facts = default_job()
    inputs = {
        **spec.request["InputConfig"],
        "EndpointConfigurations": [{"InstanceType": "ml.c5.large"}, {"InstanceType": "ml.m5.large"}],
        "ResourceLimit": {"MaxNumberOfTests": 2},
        "Endpoints": [{"EndpointName": "there"}],
    }
    both = parse_job({**spec.request, "InputConfig": inputs})
    tests, over_limit = default_tests(both, facts, FleetFile.load())
    assert ([test.label for test in tests], [test.label for test in over_limit]) == (
        ["there", "ml.c5.large"],
        ["ml.m5.large"],
    )
    del inputs["EndpointConfigurations"]
    tests, over_limit = default_tests(parse_job({**spec.request, "InputConfig": inputs}), facts, FleetFile.load())
    assert [test.label for test in (*tests, *over_limit)] == ["there", *XGBOOST_TYPES, *SERVERLESS]
    assert [test.index for test in (*tests, *over_limit)] == list(range(9))
    assert len(tests) == 2


def test_without_a_model_only_the_endpoints_are_tested() -> None:
    spec, facts = default_job()
    request = {**spec.request, "InputConfig": {"Endpoints": [{"EndpointName": "there"}]}}
    tests, over_limit = default_tests(parse_job(request), facts, FleetFile.load())
    assert ([test.label for test in tests], over_limit) == (["there"], ())


def test_burstable_types_of_a_package_are_left_out() -> None:
    spec, _ = default_job()
    facts = ModelFacts(instance_types=("ml.t2.medium", "ml.c5.large"))
    assert [test.label for test in default_tests(spec, facts, FleetFile.load())[0]] == ["ml.c5.large"]
    relaxed = default_tests(spec, facts, FleetFile.load(), "relaxed")[0]
    assert [test.label for test in relaxed] == ["ml.t2.medium", "ml.c5.large"]


def test_the_model_fills_in_what_the_request_leaves_out() -> None:
    request = {"InputConfig": {"ModelName": "m", "ContainerConfig": {"Domain": "COMPUTER_VISION"}}}
    known = ModelFacts(domain="OTHER", task="REGRESSION", content_types=("text/csv",), instance_types=("ml.c5.large",))
    facts = facts_of(request, lambda reference: known if reference == "m" else None)
    assert facts == ModelFacts(
        known=True,
        domain="COMPUTER_VISION",
        task="REGRESSION",
        content_types=("text/csv",),
        instance_types=("ml.c5.large",),
    )
    assert ModelFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


# Order and scaling


def step(index: int, cost: float | None, rate: int = 100, **changes: Any) -> StepRow:
    metrics: dict[str, Any] = {"MaxInvocations": rate, "ModelLatency": 7}
    if cost is not None:
        metrics |= {"CostPerInference": cost, "CostPerHour": cost * rate * 60}
    values: dict[str, Any] = {"metrics": metrics, "per_instance_per_min": float(rate), **changes}
    return StepRow(index, f"t{index}", f"e{index}", f"j/{index:08}", status=Status.COMPLETED, **values)


def test_the_cheapest_is_last() -> None:
    steps = [step(0, 2.0), step(1, 1.0), step(2, None), step(3, 3.0), step(4, 1.0, rate=50), step(5, 0.5, metrics=None)]
    assert [each.index for each in ranked(steps)] == [2, 3, 0, 4, 1]


def test_ten_at_most_and_the_unpriced_go_first() -> None:
    steps = [step(i, None if i < 4 else float(20 - i)) for i in range(12)]
    found = [each.index for each in ranked(steps)]
    assert found == [1, 0, 4, 5, 6, 7, 8, 9, 10, 11]


def scaling(steps: list[StepRow], **params: Any) -> dict[str, Any]:
    asked = {"InferenceRecommendationsJobName": "j", **params}
    return scaling_configuration(asked, steps, FLEET.catalogue)


def test_half_the_rate_of_a_saturated_instance() -> None:
    answer = scaling([step(0, 1.0, rate=601)], EndpointName="e0")
    assert answer["Metric"] == {"InvocationsPerInstance": 601, "ModelLatency": 7}
    assert answer["TargetCpuUtilizationPerCore"] == 50
    dynamic = answer["DynamicScalingConfiguration"]
    assert dynamic["ScalingPolicies"][0]["TargetTracking"] == {
        "MetricSpecification": {"Predefined": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}},
        "TargetValue": 300.0,
    }
    assert (dynamic["MinCapacity"], dynamic["MaxCapacity"]) == (1, 2)
    assert (dynamic["ScaleInCooldown"], dynamic["ScaleOutCooldown"]) == (300, 300)


@pytest.mark.parametrize(("percent", "target"), [(50, 250.0), (20, 100.0), (100, 500.0), (1, 5.0)])
def test_the_target_follows_the_cpu(percent: int, target: float) -> None:
    metrics = {"MaxInvocations": 500, "ModelLatency": 7, "CpuUtilization": 400.0}
    measured = step(0, 1.0, rate=500, metrics=metrics, endpoint={"InstanceType": "ml.c5.xlarge"})
    answer = scaling([measured], RecommendationId="j/00000000", TargetCpuUtilizationPerCore=percent)
    policy = answer["DynamicScalingConfiguration"]["ScalingPolicies"][0]["TargetTracking"]
    assert policy["TargetValue"] == target


def test_a_half_used_instance_may_take_more() -> None:
    metrics = {"MaxInvocations": 500, "ModelLatency": 7, "CpuUtilization": 200.0}
    measured = step(0, 1.0, rate=500, metrics=metrics, endpoint={"InstanceType": "ml.c5.xlarge"})
    answer = scaling(
        [measured],
        EndpointName="e0",
        ScalingPolicyObjective={"MinInvocationsPerMinute": 1200, "MaxInvocationsPerMinute": 5001},
    )
    dynamic = answer["DynamicScalingConfiguration"]
    assert dynamic["ScalingPolicies"][0]["TargetTracking"]["TargetValue"] == 500.0
    assert (dynamic["MinCapacity"], dynamic["MaxCapacity"]) == (3, 11)
    assert answer["ScalingPolicyObjective"]["MaxInvocationsPerMinute"] == 5001


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "ValidationException"),
        ({"RecommendationId": "j/00000000", "EndpointName": "e0"}, "ValidationException"),
        ({"RecommendationId": "j/unknown1"}, "ResourceNotFound"),
        ({"EndpointName": "unknown"}, "ResourceNotFound"),
        ({"EndpointName": "e0", "TargetCpuUtilizationPerCore": 0}, "ValidationException"),
        ({"EndpointName": "e0", "TargetCpuUtilizationPerCore": 101}, "ValidationException"),
        ({"EndpointName": "e1"}, "ValidationException"),
        ({"EndpointName": "e2"}, "ValidationException"),
        (
            {
                "EndpointName": "e0",
                "ScalingPolicyObjective": {"MinInvocationsPerMinute": 5, "MaxInvocationsPerMinute": 4},
            },
            "ValidationException",
        ),
    ],
)
def test_what_cannot_be_scaled(params: dict[str, Any], code: str) -> None:
    steps = [
        step(0, 1.0),
        step(1, 1.0, endpoint={"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}),
        step(2, None, metrics=None, per_instance_per_min=None),
    ]
    with pytest.raises(ApiError) as refused:
        scaling(steps, **params)
    assert refused.value.code == code

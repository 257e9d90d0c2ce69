"""A finished run with everything in it, for every report."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from results import result_with
from windows import flat_frame

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.judge.verdict import LatencyVerdict, Trust, TrustReason
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, Stairs, StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef

STARTED_AT = 1_760_000_000.25
JOB = {
    "JobName": "bert-nightly",
    "JobType": "Advanced",
    "JobDescription": "every night",
    "RoleArn": "arn:aws:iam::123456789012:role/Recommender",
    "InputConfig": {
        "ModelPackageVersionArn": "arn:aws:sagemaker:eu-west-1:123456789012:model-package/bert/1",
        "JobDurationInSeconds": 7200,
        "TrafficPattern": {
            "TrafficType": "STAIRS",
            "Stairs": {"DurationInSeconds": 120, "NumberOfSteps": 3, "UsersPerStep": 2},
        },
        "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
    },
    "StoppingConditions": {
        "MaxInvocations": 10000,
        "ModelLatencyThresholds": [{"Percentile": "P95", "ValueInMilliseconds": 100}],
    },
    "OutputConfig": {"KmsKeyId": "not echoed"},
    "Tags": [{"Key": "k", "Value": "v"}],
}


@pytest.fixture(scope="session")
def plan() -> Plan:
    """3 steps of 2 users, 40 s each; P95 at most 100 ms; 10,000 a minute wanted."""
    stop = StopConditions(max_invocations_per_min=10_000, latency=LatencyThreshold(0.95, 100))
    return Plan(curve_of(Stairs(2, 3, 120)), stop, TargetRef("mock:servers=4"))


@pytest.fixture(scope="session")
def windows(plan: Plan) -> list[Window]:
    """A window a second to the end and one of draining; 20 requests a user and second, a timeout every ten seconds."""
    levels, recorder, found = plan_levels(plan), Recorder(100_000_000), []
    for i in range(121):
        users = plan.curve.users_at(i)
        for k in range(20 * users):
            recorder.record(Outcome(Kind.OK, 200, 64, 0, 0, (20 + k % 5) * 1_000_000 + k, kernel_clock=True))
        if i % 10 == 0:
            recorder.record(Outcome(Kind.TIMEOUT, 0, 0, 0, 0, 10**9, detail="read"))
        found.append(recorder.take(flat_frame(i, i, i + 1.0, level_of(levels, i, i + 1.0), users, users, users)))
    return found


@pytest.fixture(scope="session")
def changes() -> list[UserChange]:
    return [
        *(UserChange(k, "start", 40.0 * (k // 2), 40.0 * (k // 2) + 0.001 * (k + 1)) for k in range(6)),
        UserChange(5, "stop", 120.0, 120.013),
    ]


@pytest.fixture(scope="session")
def finish(plan: Plan, windows: list[Window], changes: list[UserChange]) -> Callable[..., RunResult]:
    """Makes the result; keyword arguments go over the usual ones of `build_result`. reason, evidence: of the stop."""

    def make(
        reason: Reason = Reason.CURVE_END, evidence: dict[str, object] | None = None, **given: object
    ) -> RunResult:
        verdicts = [
            LatencyVerdict("met", 0.95, 100, "client", 0, 1604, 4, 1500.0, 23.9, 24.1, "confidence sequence", 21.0),
            LatencyVerdict(
                "undecided", 0.95, 100, "client", 1, 3204, 4, 900.0, 23.9, None, "too few samples", None, 120
            ),
            LatencyVerdict("met", 0.95, 100, "client", 2, 4804, 4, 4100.0, 23.9, 24.1, "confidence sequence", 95.0),
        ]
        arguments: dict[str, object] = {
            "verdicts": verdicts,
            "overall": LatencyVerdict(
                "met", 0.95, 100, "client", None, 9612, 13, 8000.0, 23.9, 24.1, "every level met"
            ),
            "trust": Trust(True, False, (), {"cpu": 0.31}),
            "starts": changes,
            "job": JOB,
            "label": "ml.c5.xlarge",
            "info": {"test": 0, "instance_type": "ml.c5.xlarge", "price_per_hour_usd": 0.204},
            "environment": {"loadtest": "0.1.0", "python": "3.11.9"},
            "started_at": STARTED_AT,
            "stopped_at_s": 120.0,
        }
        return result_with(plan, windows, Stop(reason, evidence or {}), **{**arguments, **given})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def result(finish: Callable[..., RunResult]) -> RunResult:
    return finish()


@pytest.fixture(scope="session")
def limited() -> Trust:
    reason = TrustReason(
        "cpu", "the generator used 97 % of its core in 12 of 30 windows", "use more workers or a larger machine"
    )
    return Trust(False, True, (reason,), {"cpu": 0.97})

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtest.core.result.description import Benchmark, Description, Performance, hardware, rendered, whole_ms

REQUEST = {"JobType": "Advanced", "RoleArn": "arn", "InputConfig": {"ModelName": "m"}, "Tags": [], "JobName": "x"}
JOB = Description("x", "arn:x", "PENDING", REQUEST, 1.0, 2.0)
ONE = Benchmark("x/1", {"MaxInvocations": 5}, {"EndpointName": "e"}, {"EnvironmentParameters": []}, 1.0)


def test_what_is_not_known_is_absent() -> None:
    answer = rendered(JOB)
    assert answer.keys() == {
        *("JobName", "JobType", "RoleArn", "InputConfig", "JobArn", "Status", "CreationTime", "LastModifiedTime")
    }
    (recommendation,) = rendered(replace(JOB, recommendations=[ONE]))["InferenceRecommendations"]
    assert "InvocationEndTime" not in recommendation


def test_the_api_lists_one_performance() -> None:
    two = [Performance("a", {"MaxInvocations": 1}), Performance("b", {"MaxInvocations": 2})]
    (told,) = rendered(replace(JOB, performances=two))["EndpointPerformances"]
    assert told == {"Metrics": {"MaxInvocations": 1}, "EndpointInfo": {"EndpointName": "a"}}


@pytest.mark.parametrize(
    ("instance_type", "serverless", "count", "told"),
    [
        ("ml.c5.xlarge", None, 2, {"InitialInstanceCount": 2, "InstanceType": "ml.c5.xlarge"}),
        ("ml.c5.xlarge", None, None, {"InstanceType": "ml.c5.xlarge"}),
        (None, (2048, 5), 1, {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}),
    ],
)
def test_on_what(
    instance_type: str | None, serverless: tuple[int, int] | None, count: int | None, told: dict[str, object]
) -> None:
    assert hardware(instance_type, serverless, count) == told


@pytest.mark.parametrize(
    ("ms", "told"), [(100.0, 100), (99.2, 100), (100.0000000001, 100), (0.4, 1), (20.001, 21), (50.303, 51)]
)
def test_latency_is_rounded_up_to_whole_milliseconds(ms: float, told: int) -> None:
    assert whole_ms(ms) == told

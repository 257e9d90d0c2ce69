"""Log lines and metrics reach moto by its own API, percentiles included."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from emulator_client import connect, small_job, wait_for_end

from loadtest.emulator.percentiles import Distributions
from loadtest.emulator.server import EmulatorServer
from loadtest.jobs.events import LOG_GROUP, MetricPoint
from loadtest.testing import recommender

DIMENSIONS = {"JobName": "j", "EndpointName": "e"}


@pytest.fixture(scope="module")
def filled() -> Iterator[EmulatorServer]:
    """An emulator whose event sink has heard one job."""
    with recommender() as server:
        sink = server._cloudwatch
        assert sink is not None
        minute = int(time.time()) // 60 * 60 - 600
        for number in range(3):
            sink.log("j/execution", f"line {number}", minute + number)
        sink.log("j/Endpoint/e", "Load test stopped: FLAT", minute + 9)
        for index in range(2):
            values, counts = (10.0, 20.0, 400.0), (9800.0, 150.0, 50.0)
            point = ("ClientLatency", "Milliseconds", DIMENSIONS, minute + 60 * index, values, counts)
            sink.metric(MetricPoint(LOG_GROUP, *point))
        sink.metric(MetricPoint(LOG_GROUP, "NumberOfUsers", "None", DIMENSIONS, minute, (1.0, 3.0), (30.0, 30.0)))
        yield server


def _metrics(
    server: EmulatorServer,
    name: str,
    *stats: str,
    namespace: str = LOG_GROUP,
    dimensions: Mapping[str, str] = DIMENSIONS,
    start_s: float | None = None,
) -> dict[str, list[float]]:
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    queries = [
        {"Id": f"m{index}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        for index, stat in enumerate(stats)
    ]
    start = int(time.time() - 1200 if start_s is None else start_s) // 60 * 60
    answer = connect(server.url, "cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(start + 1800, UTC),
    )
    return {stats[int(result["Id"][1:])]: result["Values"] for result in answer["MetricDataResults"]}


def test_streams_and_lines(filled: EmulatorServer) -> None:
    logs = connect(filled.url, "logs")
    streams = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix="j/")["logStreams"]
    assert sorted(stream["logStreamName"] for stream in streams) == ["j/Endpoint/e", "j/execution"]
    answer = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName="j/execution", startFromHead=True)
    assert [event["message"] for event in answer["events"]] == ["line 0", "line 1", "line 2"]
    assert answer["nextForwardToken"]
    found = logs.filter_log_events(logGroupName=LOG_GROUP, filterPattern="FLAT")["events"]
    assert [event["logStreamName"] for event in found] == ["j/Endpoint/e"]


def test_metrics_with_their_percentiles(filled: EmulatorServer) -> None:
    found = _metrics(filled, "ClientLatency", "SampleCount", "Maximum", "Average", "p50", "p95", "p99", "p99.9")
    assert found["SampleCount"] == [10000.0, 10000.0]
    assert found["Maximum"] == [400.0, 400.0]
    assert found["Average"] == pytest.approx([12.1, 12.1])
    assert (found["p50"], found["p95"], found["p99"], found["p99.9"]) == (
        [10.0] * 2,
        [10.0] * 2,
        [20.0] * 2,
        [400.0] * 2,
    )
    assert _metrics(filled, "NumberOfUsers", "Maximum", "Average") == {"Maximum": [3.0], "Average": [2.0]}


def test_a_job_leaves_its_logs_and_metrics(filled: EmulatorServer) -> None:
    sagemaker = connect(filled.url)
    sagemaker.create_inference_recommendations_job(**small_job("measured"))
    job = wait_for_end(sagemaker, "measured")
    (item,) = job["InferenceRecommendations"]
    endpoint, start_s = item["EndpointConfiguration"]["EndpointName"], item["InvocationStartTime"].timestamp()
    logs = connect(filled.url, "logs")
    stream = f"measured/Endpoint/{endpoint}"
    lines = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)["events"]
    assert any("Load test stopped, " in line["message"] for line in lines)
    lines = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName="measured/execution", startFromHead=True)[
        "events"
    ]
    assert lines[-1]["message"] == "Job measured COMPLETED"

    of_job: Any = {"dimensions": {"JobName": "measured", "EndpointName": endpoint}, "start_s": start_s}
    of_variant: Any = {"dimensions": {"EndpointName": endpoint, "VariantName": endpoint}, "start_s": start_s}
    assert set(_metrics(filled, "NumberOfUsers", "Maximum", **of_job)["Maximum"]) == {1.0}
    assert sum(_metrics(filled, "ClientInvocations", "Sum", **of_job)["Sum"]) > 100
    assert sum(_metrics(filled, "ClientInvocationErrors", "Sum", **of_job)["Sum"]) == 0
    client = _metrics(filled, "ClientLatency", "p50", "p99", "Maximum", **of_job)
    assert all(0 < p50 <= p99 <= top for p50, p99, top in zip(*client.values(), strict=True))
    model_us = _metrics(filled, "ModelLatency", "p50", namespace="AWS/SageMaker", **of_variant)["p50"]
    assert len(model_us) == len(client["p50"])
    assert all(0 < us <= 1000 * ms * 1.01 for us, ms in zip(model_us, client["p50"], strict=True))


def test_metric_statistics(filled: EmulatorServer) -> None:
    start = int(time.time()) // 3600 * 3600 - 3600
    answer = connect(filled.url, "cloudwatch").get_metric_statistics(
        Namespace=LOG_GROUP,
        MetricName="ClientLatency",
        Dimensions=[{"Name": key, "Value": value} for key, value in DIMENSIONS.items()],
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(start + 7200, UTC),
        Period=7200,
        Statistics=["Sum", "Minimum"],
    )
    (point,) = answer["Datapoints"]
    assert (point["Sum"], point["Minimum"], point["Unit"]) == (242000.0, 10.0, "Milliseconds")


def test_other_peoples_metrics_are_as_before(filled: EmulatorServer) -> None:
    cloudwatch = connect(filled.url, "cloudwatch")
    now = datetime.fromtimestamp(int(time.time()) - 300, UTC)
    cloudwatch.put_metric_data(Namespace="mine", MetricData=[{"MetricName": "m", "Value": 4.0, "Timestamp": now}])
    answer: Any = cloudwatch.get_metric_statistics(
        Namespace="mine",
        MetricName="m",
        StartTime=datetime.fromtimestamp(now.timestamp() - 60, UTC),
        EndTime=datetime.fromtimestamp(now.timestamp() + 60, UTC),
        Period=60,
        Statistics=["Average"],
    )
    assert [point["Average"] for point in answer["Datapoints"]] == [4.0]


def test_a_stream_that_was_deleted_is_made_again(filled: EmulatorServer) -> None:
    sink, logs = filled._cloudwatch, connect(filled.url, "logs")
    assert sink is not None
    sink.log("gone/execution", "first", time.time())
    assert sink.settle()
    logs.delete_log_stream(logGroupName=LOG_GROUP, logStreamName="gone/execution")
    sink.log("gone/execution", "second", time.time())
    answer = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName="gone/execution")
    assert [event["message"] for event in answer["events"]] == ["second"]


@pytest.mark.parametrize(
    ("percent", "expected"), [(0.1, 1.0), (50.0, 2.0), (50.1, 3.0), (75.0, 3.0), (99.0, 9.0), (100.0, 9.0)]
)
def test_percentile_is_the_value_at_the_rank(percent: float, expected: float) -> None:
    kept = Distributions()
    kept.add(MetricPoint("n", "m", "None", {"a": "b"}, 60.0, (9.0, 1.0), (1.0, 1.0)))
    kept.add(MetricPoint("n", "m", "None", {"a": "b"}, 120.0, (2.0, 3.0), (1.0, 1.0)))
    keys = [("n", "m", frozenset({("a", "b")}), time_s) for time_s in (60, 120, 180)]
    assert kept.percentile(keys, percent) == expected
    assert kept.percentile([], percent) is None

"""Log lines and metrics reach moto by its own API, percentiles included."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulator_client import connect, small_job, wait_for_end

from loadtest.emulator.percentiles import at_rank, counted_between, is_known, percent_of, statistic_of
from loadtest.emulator.server import EmulatorServer
from loadtest.jobs.events import LOG_GROUP, MetricPoint
from loadtest.testing import recommender

DIMENSIONS = {"JobName": "j", "EndpointName": "e"}


@pytest.fixture(scope="module")
def filled() -> Iterator[EmulatorServer]:
    """An emulator whose event sink has heard one job."""
    with recommender() as server:
        sink = server.cloudwatch
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
    # A minute that is new when the users leave has none.
    assert max(_metrics(filled, "NumberOfUsers", "Maximum", **of_job)["Maximum"]) == 1.0
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
    sink, logs = filled.cloudwatch, connect(filled.url, "logs")
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
    assert at_rank([(9.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0)], percent) == expected
    assert at_rank([], percent) is None


@pytest.mark.parametrize(
    ("name", "count"),
    [("TC(:2)", 2.0), ("TC(2:)", 2.0), ("TC(1:3)", 2.0), ("TC(:0.5)", 0.0), ("TC(:)", None), ("tc90", None)],
)
def test_a_count_by_values_has_its_upper_end_and_not_its_lower_one(name: str, count: float | None) -> None:
    pairs = [(9.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]
    assert statistic_of(pairs, name) == count
    assert is_known(name) is (count is not None)
    assert (counted_between(name) is None) is (count is None)
    assert statistic_of([], name) is None
    assert statistic_of(pairs, "p50") == 2.0


@pytest.mark.parametrize(
    ("name", "percent"),
    [("p99", 99.0), ("p99.9", 99.9), ("p0", 0.0), ("p100", 100.0), ("p101", None), ("tm99", None), ("Average", None)],
)
def test_names_of_percentiles(name: str, percent: float | None) -> None:
    assert percent_of(name) == percent


def _statistics(server: EmulatorServer, name: str, start_s: float, end_s: float, **asked: Any) -> list[dict[str, Any]]:
    """Datapoints of GetMetricStatistics, in order of time."""
    options: dict[str, Any] = {"Namespace": LOG_GROUP, "Period": 60, "dimensions": DIMENSIONS, **asked}
    dimensions = [{"Name": key, "Value": value} for key, value in options.pop("dimensions").items()]
    answer = connect(server.url, "cloudwatch").get_metric_statistics(
        MetricName=name,
        Dimensions=dimensions,
        StartTime=datetime.fromtimestamp(start_s, UTC),
        EndTime=datetime.fromtimestamp(end_s, UTC),
        **options,
    )
    points: list[dict[str, Any]] = answer["Datapoints"]
    return sorted(points, key=lambda point: point["Timestamp"])


def test_extended_statistics(filled: EmulatorServer) -> None:
    start_s = time.time() - 3600
    points = _statistics(filled, "ClientLatency", start_s, time.time(), ExtendedStatistics=["p50", "p99", "p99.9"])
    assert [point["ExtendedStatistics"] for point in points] == [{"p50": 10.0, "p99": 20.0, "p99.9": 400.0}] * 2
    (both,) = _statistics(
        filled, "NumberOfUsers", start_s, time.time(), ExtendedStatistics=["p50"], Statistics=["Maximum"]
    )
    assert (both["ExtendedStatistics"], both["Maximum"]) == ({"p50": 1.0}, 3.0)


@pytest.mark.parametrize("asked", [{"ExtendedStatistics": ["tm99"]}, {"ExtendedStatistics": ["p99", "p101"]}])
def test_a_statistic_that_is_not_emulated_is_refused(filled: EmulatorServer, asked: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="only percentiles") as refusal:
        _statistics(filled, "ClientLatency", time.time() - 3600, time.time(), **asked)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(ClientError, match="Stat IQM"):
        _metrics(filled, "ClientLatency", "IQM")


def test_other_peoples_metrics_have_percentiles_where_they_can_be_known(filled: EmulatorServer) -> None:
    cloudwatch = connect(filled.url, "cloudwatch")
    now_s = int(time.time()) // 60 * 60
    at: Any = {"Timestamp": datetime.fromtimestamp(now_s, UTC)}
    sums = {"SampleCount": 3.0, "Sum": 6.0, "Minimum": 1.0, "Maximum": 3.0}
    data = [
        {"MetricName": "values", "Values": [1.0, 5.0], "Counts": [3.0, 1.0], **at},
        {"MetricName": "sums", "StatisticValues": sums, **at},
    ]
    cloudwatch.put_metric_data(Namespace="theirs", MetricData=data)
    asked: Any = {"Namespace": "theirs", "ExtendedStatistics": ["p75", "p99"], "dimensions": {}}
    (point,) = _statistics(filled, "values", now_s, now_s + 60, **asked)
    assert point["ExtendedStatistics"] == {"p75": 1.0, "p99": 5.0}
    assert _statistics(filled, "sums", now_s, now_s + 60, **asked) == []
    (point,) = _statistics(filled, "sums", now_s, now_s + 60, **asked, Statistics=["Sum"])
    assert "ExtendedStatistics" not in point
    assert point["Sum"] == 6


def test_two_tests_of_one_endpoint_share_its_minutes(filled: EmulatorServer) -> None:
    sink = filled.cloudwatch
    assert sink is not None
    minute_s = int(time.time()) // 60 * 60
    dimensions = {"EndpointName": "shared", "VariantName": "v"}
    for values, counts in (((10.0, 30.0), (98.0, 2.0)), ((20.0,), (100.0,))):
        point = ("ModelLatency", "Microseconds", dimensions, minute_s, values, counts)
        sink.metric(MetricPoint("AWS/SageMaker", *point))
    (found,) = _statistics(
        filled,
        "ModelLatency",
        minute_s,
        minute_s + 60,
        Namespace="AWS/SageMaker",
        dimensions=dimensions,
        Statistics=["SampleCount", "Maximum"],
        ExtendedStatistics=["p40", "p50", "p99", "p99.9"],
    )
    assert (found["SampleCount"], found["Maximum"]) == (200, 30)
    assert found["ExtendedStatistics"] == {"p40": 10.0, "p50": 20.0, "p99": 20.0, "p99.9": 30.0}


def test_every_metric_is_listed_once(filled: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by what it is, not compared with every other one: that took minutes after a hundred jobs."""
    monkeypatch.delattr("moto.cloudwatch.models.are_dimensions_same")
    sink, cloudwatch = filled.cloudwatch, connect(filled.url, "cloudwatch")
    assert sink is not None
    names = {f"job-{number}" for number in range(1100)}
    for minute_s in (600.0, 660.0):
        for name in names:
            sink.metric(MetricPoint("listed", "m", "None", {"JobName": name}, minute_s, (1.0,), (1.0,)))
    cloudwatch.put_metric_data(Namespace="listed", MetricData=[{"MetricName": "bare", "Value": 1.0}] * 2)
    assert sink.settle(120)  # who lists waits for it, but not for as long as a loaded machine may take
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="listed"))
    assert [len(page["Metrics"]) for page in pages] == [500, 500, 101]
    found = [metric for page in pages for metric in page["Metrics"]]
    assert {metric["Dimensions"][0]["Value"] for metric in found if metric["Dimensions"]} == names
    assert [metric["MetricName"] for metric in found if not metric["Dimensions"]] == ["bare"]
    asked = [{"Name": "JobName", "Value": "job-7"}]
    (one,) = cloudwatch.list_metrics(Namespace="listed", MetricName="m", Dimensions=asked)["Metrics"]
    assert one["Dimensions"] == asked


def test_what_moto_forgets_is_forgotten(filled: EmulatorServer) -> None:
    """moto's reset leaves no distribution behind that would be counted with the next one of that minute."""
    with recommender() as server:
        sink = server.cloudwatch
        assert sink is not None
        minute_s = int(time.time()) // 60 * 60
        for value in (90.0, 1.0):
            server.forget_fallback()
            sink.metric(MetricPoint(LOG_GROUP, "ClientLatency", "Milliseconds", DIMENSIONS, minute_s, (value,), (4.0,)))
            assert sink.settle()
            stats: Any = {"ExtendedStatistics": ["p99"], "Statistics": ["SampleCount"]}
            (point,) = _statistics(server, "ClientLatency", minute_s, minute_s + 60, **stats)
            assert (point["ExtendedStatistics"], point["SampleCount"]) == ({"p99": value}, 4)


def test_a_chart_of_a_job_asks_from_its_creation_to_its_last_change(filled: EmulatorServer) -> None:
    """As notebooks do: every invocation is found, in whole minutes, and nothing of the job lies outside."""
    sagemaker = connect(filled.url)
    phases = [{"InitialNumberOfUsers": 1, "SpawnRate": 1, "DurationInSeconds": 200}]
    request = small_job("charted", StoppingConditions={"FlatInvocations": "Continue"})
    request["InputConfig"]["TrafficPattern"]["Phases"] = phases
    sagemaker.create_inference_recommendations_job(**request)
    job = wait_for_end(sagemaker, "charted")
    (item,) = job["InferenceRecommendations"]
    endpoint = item["EndpointConfiguration"]["EndpointName"]
    created, modified = job["CreationTime"], job["LastModifiedTime"]
    assert created <= item["InvocationStartTime"] < item["InvocationEndTime"] <= job["CompletionTime"] == modified
    span = (created.timestamp(), modified.timestamp())
    of_job: Any = {"dimensions": {"JobName": "charted", "EndpointName": endpoint}, "Statistics": ["Sum"]}
    points = _statistics(filled, "ClientInvocations", *span, **of_job)
    run = filled.service.run_result("charted", 0)
    assert run is not None
    assert sum(point["Sum"] for point in points) == run.totals.ok
    assert all(point["Timestamp"].second == 0 for point in points)
    assert 4 <= len(points) <= 5
    latencies = _statistics(
        filled,
        "ClientLatency",
        *span,
        dimensions=of_job["dimensions"],
        ExtendedStatistics=["p99"],
        Statistics=["Maximum"],
    )
    assert [point["Timestamp"] for point in latencies] == [point["Timestamp"] for point in points]
    assert all(0 < point["ExtendedStatistics"]["p99"] <= point["Maximum"] for point in latencies)
    metric = {"Namespace": LOG_GROUP, "MetricName": "ClientInvocations"}
    metric["Dimensions"] = [{"Name": key, "Value": value} for key, value in of_job["dimensions"].items()]
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    (data,) = connect(filled.url, "cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=created, EndTime=modified, ScanBy="TimestampAscending"
    )["MetricDataResults"]
    assert data["Values"] == [point["Sum"] for point in points]
    assert data["Timestamps"] == [point["Timestamp"] for point in points]


def test_a_stream_is_followed_by_token_without_loss(filled: EmulatorServer) -> None:
    """Batches that come late, and lines older than what was written: each is read once, in an order that holds."""
    sink, logs = filled.cloudwatch, connect(filled.url, "logs")
    assert sink is not None
    now_s = time.time()
    names: Any = {"logGroupName": LOG_GROUP, "logStreamName": "followed/execution"}
    seen: list[tuple[int, str]] = []
    token: dict[str, str] = {}
    for number, ahead_s in enumerate((0.0, 5.0, 2.0, 20_000.0, 3.0, 20_000.0)):
        for part in "ab":
            sink.log("followed/execution", f"{number}{part}", now_s + ahead_s)
        answer = logs.get_log_events(**names, startFromHead=True, **token)
        token = {"nextToken": answer["nextForwardToken"]}
        seen += [(event["timestamp"], event["message"]) for event in answer["events"]]
    assert [text for _, text in seen] == [f"{number}{part}" for number in range(6) for part in "ab"]
    times = [time_ms for time_ms, _ in seen]
    assert times == sorted(times)
    assert times[-1] == round((now_s + 20_000) * 1000), "a job's virtual time is not cut"
    whole = logs.get_log_events(**names, startFromHead=True)["events"]
    assert [event["message"] for event in whole] == [text for _, text in seen]


def test_lines_of_others_have_cloudwatch_s_bounds(filled: EmulatorServer) -> None:
    logs = connect(filled.url, "logs")
    logs.create_log_group(logGroupName="mine")
    logs.create_log_stream(logGroupName="mine", logStreamName="s")
    event = {"timestamp": round((time.time() + 20_000) * 1000), "message": "from the future"}
    answer = logs.put_log_events(logGroupName="mine", logStreamName="s", logEvents=[event])
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}


def test_a_request_that_its_client_compressed(filled: EmulatorServer) -> None:
    """botocore does so from 10 KiB on."""
    cloudwatch = connect(filled.url, "cloudwatch")
    data = [{"MetricName": f"m{number}", "Value": 1.0} for number in range(400)]
    cloudwatch.put_metric_data(Namespace="compressed", MetricData=data)
    assert len(cloudwatch.list_metrics(Namespace="compressed")["Metrics"]) == 400

"""Windows as CloudWatch metrics: what AWS publishes, a minute at a time."""

from __future__ import annotations

import numpy as np
import pytest
from jobkit import Heard, window
from windows import changed

from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import Serverless
from loadtest.jobs.events import MetricPoint
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.fleet_model import Behaviour
from loadtest.jobs.metering import Meter
from loadtest.jobs.models import ModelFacts

BEHAVIOUR = Behaviour(4, 20.0, 0.2, 10, 0.0, work_s=0.02, vcpu=4, memory_percent=25.0, serverless=False)


def metered(start_s: float, behaviour: Behaviour | None = None) -> Heard:
    heard = Heard()
    meter = Meter(heard, "job", "endpoint", "variant", start_s, behaviour)
    for i in range(12):
        meter.add(changed(window(i, users=1 + i // 6), errors={"timeout": 1}))
    meter.flush()
    meter.flush()
    return heard


def test_a_point_per_metric_and_minute() -> None:
    heard = metered(1200.0)
    assert {point.time_s for point in heard.points} == {1200.0, 1260.0}
    assert len(heard.points) == len({(point.name, point.time_s) for point in heard.points})
    of = {(point.name, point.time_s): point for point in heard.points}
    assert of["ClientInvocations", 1200.0].values == (606.0,)
    assert of["ClientInvocationErrors", 1260.0].values == (6.0,)
    assert of["NumberOfUsers", 1260.0].values == (2.0,)
    assert of["NumberOfUsers", 1260.0].counts == (6.0,)
    assert of["ClientLatency", 1200.0].unit == "Milliseconds"
    assert of["ClientLatency", 1200.0].values[0] == pytest.approx(20, rel=2e-3)
    assert of["ModelLatency", 1200.0].unit == "Microseconds"
    assert of["ModelLatency", 1200.0].values[0] == pytest.approx(20_000, rel=2e-3)
    assert of["ModelLatency", 1200.0].dimensions == {"EndpointName": "endpoint", "VariantName": "variant"}


def test_minutes_are_those_of_the_clock() -> None:
    """The first one began before the run; its point does not, or who asks for what came since would miss it."""
    assert {point.time_s for point in metered(1230.0).points} == {1230.0, 1260.0, 1320.0}


def test_utilisation_by_the_fleet_s_model() -> None:
    found = {point.name: point for point in metered(0.0, BEHAVIOUR).points if point.time_s == 0}
    assert found["CPUUtilization"].values == (pytest.approx(20.0),)  # ten requests of 20 ms a second
    assert found["MemoryUtilization"].values == (25.0,)
    assert found["CPUUtilization"].namespace == "/aws/sagemaker/Endpoints"


def test_a_wide_distribution_is_cut_to_what_cloudwatch_takes() -> None:
    latencies_us = np.unique(np.geomspace(100, 10_000_000, 5000).astype(np.int64))
    histogram = Histogram()
    histogram.record(latencies_us)
    heard = Heard()
    meter = Meter(heard, "j", "e", "v", 0.0)
    meter.add(changed(window(0), latency=histogram.encode(), ok=len(latencies_us)))
    meter.flush()
    (point,) = [point for point in heard.points if point.name == "ClientLatency"]
    assert 75 < len(point.values) == len(point.counts) <= 150
    assert sum(point.counts) == len(latencies_us)
    assert point.values[-1] == pytest.approx(10_000, rel=2e-3)
    assert list(point.values) == sorted(point.values)


def test_the_highest_user_counts_are_kept() -> None:
    heard = Heard()
    meter = Meter(heard, "j", "e", "v", 0.0)
    for i in range(400):  # windows of a tenth of a second, each with one user more
        meter.add(changed(window(i), start_s=i / 10, end_s=(i + 1) / 10, running=i + 1))
    meter.flush()
    (point,) = [point for point in heard.points if point.name == "NumberOfUsers"]
    assert len(point.values) == len(point.counts) <= 150
    assert point.values[-1] == 400
    assert sum(point.counts) == 400


def points_of(*windows: Window, behaviour: Behaviour | None = None, instances: int = 1) -> dict[str, MetricPoint]:
    """By name, of one minute with these windows."""
    heard = Heard()
    meter = Meter(heard, "j", "e", "v", 0.0, behaviour, instances)
    for each in windows:
        meter.add(each)
    meter.flush()
    assert len({point.name for point in heard.points}) == len(heard.points)
    return {point.name: point for point in heard.points}


def sum_of(point: MetricPoint) -> float:
    return sum(value * count for value, count in zip(point.values, point.counts, strict=True))


@pytest.mark.parametrize(
    ("errors", "details", "expected"),
    [
        ({}, {}, (0, 0, 0)),
        ({"client_error": 3}, {"ValidationError": 3}, (3, 0, 3)),
        ({"server_error": 2}, {"InternalFailure": 2}, (0, 2, 2)),
        ({"model_error": 9}, {"424/400": 4, "424/503": 3, "424": 2}, (4, 3, 9)),
        ({"throttled": 5}, {"ThrottlingException": 5}, (5, 0, 0)),
        ({"timeout": 1, "connection": 1, "malformed": 1}, {"read": 1, "refused": 1, "200": 1}, (0, 0, 3)),
        ({"cut": 2, "exception": 2}, {"cut": 2, "ValueError": 2}, (0, 0, 0)),
    ],
)
def test_failures_by_whose_they_are(errors: dict[str, int], details: dict[str, int], expected: tuple[int, ...]) -> None:
    found = points_of(changed(window(0), errors=errors, details=details))
    names = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
    assert tuple(sum_of(found[name]) for name in names) == expected
    completed = 100 + sum(errors.values())
    assert all(sum(found[name].counts) == completed for name in names), "so that the average is the ratio"
    assert {found[name].namespace for name in names} == {"AWS/SageMaker"}


def test_invocations_per_instance() -> None:
    assert points_of(window(0), instances=4)["InvocationsPerInstance"].values == (25.0,)


def test_overhead_is_what_the_client_waited_longer_than_the_model_took() -> None:
    model, client = Histogram(), Histogram()
    model.record(np.full(100, 20_000, np.int64))
    client.record(np.full(100, 23_000, np.int64))
    both = changed(window(0), latency=client.encode(), model_latency=model.encode())
    point = points_of(both)["OverheadLatency"]
    assert point.values == (pytest.approx(3000, rel=2e-2),)
    assert point.counts == (100.0,)
    assert "OverheadLatency" not in points_of(changed(window(0), model_latency="")), "nothing told the model's time"
    model.record([1])
    assert "OverheadLatency" not in points_of(changed(both, model_latency=model.encode())), "other requests"


def test_what_happened_to_nobody_is_not_there() -> None:
    found = points_of(changed(window(0, ok=0), errors={}))
    assert set(found) == {
        "NumberOfUsers",
        "ClientInvocations",
        "ClientInvocationErrors",
        "Invocations",
        "InvocationsPerInstance",
    }


def test_gpu_and_disk_by_the_fleet_s_model() -> None:
    fleet = Fleet.load(live=False)
    facts = ModelFacts()
    assert not {"GPUUtilization", "GPUMemoryUtilization"} & set(
        points_of(window(0), behaviour=fleet.behaviour(facts, "ml.c5.xlarge"))
    )
    assert not {"GPUUtilization", "GPUMemoryUtilization"} & set(
        points_of(window(0), behaviour=fleet.behaviour(facts, "ml.inf2.xlarge"))
    ), "Inferentia is no GPU"
    found = points_of(window(0), behaviour=fleet.behaviour(facts, "ml.g4dn.xlarge"))
    # 10 a second, 6 ms each, on one of the two streams of a T4 of 16 GB that holds two copies of 512 MB.
    assert found["GPUUtilization"].values == (pytest.approx(3.0),)
    assert found["GPUMemoryUtilization"].values == (pytest.approx(100 * 1024 / 16384),)
    assert found["DiskUtilization"].values == (pytest.approx(100 * 4 / 30),)
    four = fleet.behaviour(facts, "ml.g4dn.12xlarge")
    assert four.gpu_percent(1e9) == 400
    idle = fleet.behaviour(ModelFacts(framework="XGBOOST"), "ml.g4dn.xlarge")
    assert (idle.gpu_percent(1e9), idle.gpu_memory_percent) == (0, 0), "it has one and does not use it"


def test_a_serverless_endpoint_has_the_metrics_that_aws_gives_it() -> None:
    behaviour = Fleet.load(live=False).behaviour(ModelFacts(), None, Serverless(2048, 4))
    found = points_of(changed(window(0), in_flight=2.0), changed(window(1), in_flight=8.0), behaviour=behaviour)
    assert found["ServerlessConcurrentExecutionsUtilization"].values == (0.5, 1.0)
    assert not {
        "InvocationsPerInstance",
        "InvocationModelErrors",
        "CPUUtilization",
        "DiskUtilization",
        "GPUUtilization",
    } & set(found)
    assert found["MemoryUtilization"].values

"""Points in a real CloudWatch (moto's, over HTTP, taught and plain): minutes, units, what is late and what never comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_front import Door, Refusal
from emulator_client import connect, create_endpoint
from moto.server import ThreadedMotoServer
from told import FIRST_AT, STARTED_AT, plan_of, run_of

from loadtest.aws.clients import Clients
from loadtest.aws.endpoint import inspect_endpoint
from loadtest.aws.metrics import METRICS, Place, place_of
from loadtest.aws.telemetry import Telemetry
from loadtest.core.result.periods import KEPT_AS
from loadtest.core.result.result import RunResult
from loadtest.core.result.service_side import service_side
from loadtest.report.existing import endpoint_words

pytestmark = pytest.mark.live  # servers in threads, and clients that wait for them

ENDED_AT = STARTED_AT + 300.0
PLACE = Place("e", ("v0",), limits_ms=(100.0,))
MINUTES = tuple(FIRST_AT + 60 * i for i in range(6))
ALL = ("ModelLatency", "OverheadLatency", "Invocations")


class Hands:
    """A clock that only waiting moves, and what happens meanwhile: at a time of the clock, something is done."""

    def __init__(self, now_s: float = ENDED_AT, **then: Callable[[], None]) -> None:
        self.now_s = now_s
        self.waits: list[float] = []
        self.then: list[tuple[float, Callable[[], None]]] = []
        self.given_up = False

    def clock(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        for at_s, do in [each for each in self.then if each[0] <= self.now_s]:
            self.then.remove((at_s, do))
            do()
        return self.given_up


def put(
    cloudwatch: Any,
    metric: str,
    at: Sequence[float],
    values: Mapping[float, int],
    unit: str = "None",
    variant: str = "v0",
    namespace: str = "AWS/SageMaker",
) -> None:
    dimensions = [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": variant}]
    data = [
        {
            "MetricName": metric,
            "Dimensions": dimensions,
            "Timestamp": datetime.fromtimestamp(each, UTC),
            "Unit": unit,
            "Values": list(values),
            "Counts": list(values.values()),
        }
        for each in at
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def put_latencies(cloudwatch: Any, at: Sequence[float] = MINUTES, names: Sequence[str] = ALL, n: int = 120) -> None:
    """The first second of each minute has all of its requests: 80 ms in the model, 5 ms over it."""
    for name in names:
        values = {"ModelLatency": {80_000.0: n}, "OverheadLatency": {5_000.0: n}, "Invocations": {1.0: n}}[name]
        put(cloudwatch, name, at, values, "None" if name == "Invocations" else "Microseconds")


@pytest.fixture(params=["taught", "plain"])
def account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """A door before an emulator, whose moto knows percentiles, or before a moto server that does not."""
    if request.param == "taught":
        yield request.getfixturevalue("door")
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        connect(f"http://{host}:{port}", "cloudwatch").meta.events  # noqa: B018
        with Door(f"http://{host}:{port}") as door:
            yield door
    finally:
        server.stop()


def telemetry(door: Door, hands: Hands, place: Place = PLACE, **choices: Any) -> Telemetry:
    clients = Clients({"endpoint_url": door.url, "region": "us-east-1"})
    choices = {"say": lambda text: None, "clock": hands.clock, "pause": hands.pause, **choices}
    # What it asks for begins with the run, not with the test.
    now_s, hands.now_s = hands.now_s, STARTED_AT
    made = Telemetry(clients, place, **choices)
    hands.now_s = now_s
    return made


def result_of(client_ms: float = 120.0) -> RunResult:
    """Five minutes of one level with 20 requests a second."""
    return run_of(plan_of(steps=1), lambda s: client_ms)


def test_rows_are_matched_to_their_minutes_and_units(account: Door) -> None:
    cloudwatch = connect(account.behind, "cloudwatch")
    put_latencies(cloudwatch, n=1200)
    put(
        cloudwatch,
        "CPUUtilization",
        MINUTES[1:3],
        {180.0: 1, 220.0: 1},
        "Percent",
        namespace="/aws/sagemaker/Endpoints",
    )
    put(cloudwatch, "InvocationsPerInstance", MINUTES, {0.5: 1200})
    put(cloudwatch, "ModelSetupTime", MINUTES, {7.0: 1}, "Seconds")  # not the unit that it has
    put(cloudwatch, "ModelLatency", MINUTES, {1.0: 9}, "Microseconds", variant="another")
    hands = Hands()
    result = telemetry(account, hands).completed(result_of())
    side = service_side(result)
    assert side is not None
    assert hands.waits == [], "all of it was there"
    assert [each.start_s for each in side.periods] == [-30 + 60 * i for i in range(6)]
    (level,) = side.levels
    assert (level.periods, level.requests, level.model_mean_ms, level.overhead_mean_ms) == (4, 4800, 80, 5)
    assert level.network_ms == pytest.approx(35)
    assert (level.invocations_per_min, level.per_instance_per_min) == (1200, 600)
    assert level.cpu == 200
    assert [each.level for each in side.usage] == [0, 0]
    assert {"ModelSetupTime", "GPUUtilization", "InvocationModelErrors"} <= set(side.absent)
    assert side.shared is False
    assert result.overall is not None
    assert (result.overall.answer, result.overall.clock) == ("met", "model")


def test_percentiles_where_they_are_told_and_said_where_not(account: Door) -> None:
    cloudwatch = connect(account.behind, "cloudwatch")
    put(cloudwatch, "ModelLatency", MINUTES, {80_000.0: 1100, 110_000.0: 100}, "Microseconds")
    put_latencies(cloudwatch, names=ALL[1:], n=1200)
    result = telemetry(account, Hands()).completed(result_of())
    side = service_side(result)
    assert side is not None
    (level,) = side.levels
    if side.problems:
        assert "no percentiles and counts" in side.problems[0]
        assert (level.model_percentiles, level.over, level.model_max_ms) == ({}, (4, 4796), 110)
    else:
        assert level.model_percentiles == {0.5: (80, 80), 0.95: (110, 110), 0.99: (110, 110)}
        assert level.over == (400, 400)


def test_a_metric_that_is_published_late_is_waited_for(door: Door) -> None:
    cloudwatch = connect(door.behind, "cloudwatch")
    put_latencies(cloudwatch, MINUTES[:3], n=1200)
    hands, said = Hands(), list[str]()
    hands.then.append((ENDED_AT + 40, lambda: put_latencies(cloudwatch, MINUTES[3:], n=600)))
    hands.then.append((ENDED_AT + 90, lambda: put_latencies(cloudwatch, MINUTES[3:], n=600)))
    result = telemetry(door, hands, say=said.append).completed(result_of())
    assert hands.now_s == ENDED_AT + 90, "half of a minute's requests is not all of them"
    assert said == ["waiting for CloudWatch's last points, 180 s at most"]
    assert result.cloudwatch is not None
    assert (result.cloudwatch["waited_s"], result.cloudwatch["missing"]) == (90, [])
    assert result.overall is not None
    assert result.overall.answer == "met"


@pytest.mark.slow
def test_a_metric_that_never_comes_is_waited_for_with_a_limit_and_named(door: Door) -> None:
    put_latencies(connect(door.behind, "cloudwatch"), names=["OverheadLatency", "Invocations"], n=1200)
    hands = Hands()
    result = telemetry(door, hands, wait_s=95).completed(result_of())
    assert hands.now_s == ENDED_AT + 95
    assert result.cloudwatch is not None
    assert result.cloudwatch["missing"] == list(MINUTES[1:5])
    side = service_side(result)
    assert side is not None
    assert "ModelLatency" in side.absent
    assert result.overall is not None
    assert result.overall.rule == "of 4 of the level's whole periods of 60 s CloudWatch did not tell in time"


def test_who_hurries_waits_no_longer(door: Door) -> None:
    hands = Hands()
    hands.given_up = True
    telemetry(door, hands).completed(result_of())
    assert len(hands.waits) == 1
    made = telemetry(door, Hands(), pause=None)
    made.hurry()
    made.completed(result_of())


def test_nothing_is_waited_for_where_no_minute_can_count(door: Door) -> None:
    hands = Hands()
    telemetry(door, hands).completed(run_of(plan_of(steps=4, level_s=60), lambda s: 40.0))
    assert hands.waits == []


def test_a_permission_that_is_missing_is_named_and_ends_the_asking(door: Door) -> None:
    door.refuse["GetMetricData"] = Refusal("AccessDeniedException", "is not authorized to perform", 403)
    hands, said = Hands(), list[str]()
    result = telemetry(door, hands, say=said.append).completed(result_of())
    assert hands.waits == []
    assert len(door.made("GetMetricData")) == 1
    assert said[0].startswith("AWS does not permit cloudwatch:GetMetricData: AccessDeniedException")
    assert result.overall is not None
    assert (result.overall.answer, result.overall.rule.startswith("CloudWatch told nothing")) == ("undecided", True)


def test_a_server_that_does_not_answer_is_asked_three_times(door: Door) -> None:
    door.refuse["GetMetricData"] = Refusal("InternalFailure", "no such thing", 400)
    hands = Hands()
    result = telemetry(door, hands).completed(result_of())
    assert len(hands.waits) == 2
    side = service_side(result)
    assert side is not None
    assert side.problems[0].startswith("CloudWatch did not answer: InternalFailure")


def test_what_came_is_kept_at_once(door: Door) -> None:
    put_latencies(connect(door.behind, "cloudwatch"), MINUTES[:2], n=1200)
    kept: list[tuple[str, Any]] = []
    made = telemetry(door, Hands(MINUTES[2]), keep=lambda name, document: kept.append((name, document)))
    made.look()
    ((name, document),) = kept
    assert name == KEPT_AS
    (model,) = (each for each in document["series"] if each["metric"] == "ModelLatency")
    assert [each["at"] for each in model["points"]] == list(MINUTES[:2])
    assert (model["unit"], model["namespace"]) == ("Microseconds", "AWS/SageMaker")


def test_the_publishing_period_is_read_and_respected(door: Door, sagemaker: Any, clients: Clients) -> None:
    create_endpoint(sagemaker, "e")
    config = {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10}
    door.answers["DescribeEndpoint"] = lambda told: {**told, "MetricsConfig": config}
    found = inspect_endpoint(clients, "e")
    place = place_of(found, {})
    assert place is not None
    assert (place.invocations_s, place.instances_s) == (10, 10)
    assert "CloudWatch gets all of its metrics every 10 s" in list(endpoint_words(found))
    config["EnableEnhancedMetrics"] = False
    place = place_of(inspect_endpoint(clients, "e"), {})
    assert place is not None
    assert (place.invocations_s, place.instances_s) == (60, 10), "without enhanced metrics it is the instances' alone"
    seconds = [STARTED_AT + 10 * i for i in range(30)]
    ten_s = Place("e", ("v0",), invocations_s=10, instances_s=10, limits_ms=(100.0,))
    cloudwatch = connect(door.behind, "cloudwatch")
    put_latencies(cloudwatch, seconds, n=200)
    result = telemetry(door, Hands(), ten_s).completed(result_of())
    side = service_side(result)
    assert side is not None
    assert (len(side.periods), side.levels[0].periods, side.levels[0].requests) == (30, 30, 6000)


def test_points_of_less_than_a_minute_are_asked_for_while_they_live(door: Door) -> None:
    ten_s = Place("e", ("v0",), invocations_s=10, instances_s=60)
    now_s = STARTED_AT + 5 * 3600
    telemetry(door, Hands(now_s), ten_s).look(STARTED_AT)
    spans = [
        (each["StartTime"], {q["MetricStat"]["Period"] for q in each["MetricDataQueries"]}) for each in asked(door)
    ]
    assert (now_s - 3 * 3600 + 60) // 10 * 10 in [start for start, periods in spans if periods == {10}]
    assert STARTED_AT // 60 * 60 in [start for start, periods in spans if periods == {60}]


def asked(door: Door) -> list[dict[str, Any]]:
    return door.made("GetMetricData")


@pytest.mark.parametrize(
    ("options", "variants", "dimensions"),
    [
        ({}, ("v0", "v1"), {"EndpointName": "e", "VariantName": "v0"}),
        ({"target_variant": "v1"}, ("v1",), {"EndpointName": "e", "VariantName": "v1"}),
        ({"inference_component_name": "c"}, ("v0", "v1"), {"InferenceComponentName": "c"}),
    ],
)
def test_whose_metrics_they_are(options: dict[str, str], variants: tuple[str, ...], dimensions: dict[str, str]) -> None:
    place = place_of({"name": "e", "variants": [{"name": "v0"}, {"name": "v1"}]}, options)
    assert place is not None
    assert place.variants == variants
    listed = list(place.series())
    assert next(found for metric, _, _, found in listed if metric.name == "ModelLatency") == dimensions
    assert next(found for metric, _, _, found in listed if metric.name == "CPUUtilization")["EndpointName"] == "e"
    assert {metric.name for metric in METRICS} > {metric.name for metric, *_ in listed}
    assert place_of({"name": "e"}, options) is None

"""OpenTelemetry's model of a run, received over HTTP and gRPC: names, required attributes, sums, temporality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from windows import flat_window

from loadtest import simulate
from loadtest.core.request.spec import LatencyThreshold
from loadtest.errors import SpecError
from loadtest.export.buckets import BOUNDS_S
from loadtest.export.metrics import Labels, Metrics
from loadtest.export.send import OtlpSender

LABELS = Labels("t1", "bert", "v1")
AWS = {"target_url": "https://runtime.example:8443/endpoints/bert/invocations", "target_region": "eu-west-1"}
HTTP = "http.client.request.duration"


@pytest.fixture(scope="module")
def values() -> list[Metrics]:
    found = [Metrics(LABELS, LatencyThreshold(0.95, 100), AWS)]

    def on_window(window) -> None:
        found.append(found[-1].after(window, {"latency": {"verdict": "met"}}, trusted=True))

    simulate("scenarios/short.json", target="mock:servers=2,service_ms=20,error_ratio=0.1", on_window=on_window)
    return found


@pytest.fixture
def sender(receiver, monkeypatch):
    """Makes a sender to the receiver, with other variables if need be."""
    made = []

    def make(source, **variables: str) -> OtlpSender:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", receiver.protocol)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made.append(OtlpSender(source))
        made[-1].begin(LABELS)
        return made[-1]

    yield make
    for each in made:
        each.close()


def metrics_of(request: Any) -> dict[str, Any]:
    (resource,) = request.resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def attributes_of(point: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in point.attributes}


def test_what_is_received(sender, receiver, values) -> None:
    run = values[-1]
    sender(lambda: [run]).send()
    (request,) = receiver.requests
    assert attributes_of(request.resource_metrics[0].resource)["service.name"] == "loadtest"
    found = metrics_of(request)
    assert set(found) == {
        *("loadtest.request.duration", "loadtest.requests", "loadtest.users", "loadtest.users_planned"),
        *("loadtest.in_flight", "loadtest.schedule_lag", "loadtest.level", "loadtest.verdict", "loadtest.trust_valid"),
        HTTP,
    }
    duration = found["loadtest.request.duration"]
    assert duration.unit == "s"
    (point,) = duration.exponential_histogram.data_points
    assert attributes_of(point) == {"testid": "t1", "endpoint": "bert", "variant": "v1"}
    assert point.count == sum(point.positive.bucket_counts) == run.counts.ok
    assert point.sum == pytest.approx(run.counts.latency_sum_s)
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    requests = found["loadtest.requests"].sum
    assert requests.is_monotonic
    assert requests.aggregation_temporality == 2, "cumulative"
    assert sum(point.as_int for point in requests.data_points) == run.counts.completed
    verdict = {attributes_of(p)["state"]: p.as_int for p in found["loadtest.verdict"].gauge.data_points}
    assert verdict == {"met": 1, "not met": 0, "undecided": 0}


def test_the_http_metric_has_the_conventions_attributes(sender, receiver, values) -> None:
    run = values[-1]
    sender(lambda: [run]).send()
    metric = metrics_of(receiver.requests[0])[HTTP]
    assert metric.unit == "s"
    good, bad = metric.histogram.data_points
    server = {"http.request.method": "POST", "server.address": "runtime.example", "server.port": 8443}
    assert attributes_of(good) == {**LABELS.named(), **server, "http.response.status_code": 200}
    assert good.count == sum(good.bucket_counts) == run.counts.ok
    assert good.sum == pytest.approx(run.counts.latency_sum_s)
    assert tuple(good.explicit_bounds) == BOUNDS_S
    assert len(good.bucket_counts) == len(BOUNDS_S) + 1
    assert attributes_of(bad) == {
        **LABELS.named(),
        **server,
        "error.type": "model_error",
        "http.response.status_code": 424,
    }
    assert bad.count == run.counts.errors["model_error"]
    assert not bad.HasField("sum"), "how long failures took is not known"
    assert list(bad.bucket_counts) == list(bad.explicit_bounds) == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"target_url": "http://h/invocations"}, {"server.address": "h", "server.port": 80}),
        ({"target_url": "https://[::1]/invocations"}, {"server.address": "::1", "server.port": 443}),
        ({}, None),
        (None, None),
    ],
)
def test_targets_that_are_not_awss(sender, receiver, values, facts: Mapping[str, str] | None, expected) -> None:
    sender(lambda: [replace(values[-1], facts=facts)]).send()
    metric = metrics_of(receiver.requests[0]).get(HTTP)
    if expected is None:
        assert metric is None, "no HTTP that is known of"
        return
    found = attributes_of(metric.histogram.data_points[0])
    assert {name: found[name] for name in expected} == expected
    assert "http.response.status_code" not in found, "200, 201, 204: windows do not tell"


def test_failures_by_what_is_known_of_their_status(sender, receiver) -> None:
    window = flat_window(
        errors={"throttled": 3, "timeout": 2, "model_error": 4},
        details={"throttled 429": 1, "throttled ThrottlingException": 2, "timeout": 2, "model_error 424/500": 3},
    )
    run = Metrics(LABELS, facts=AWS).after(window, {}, trusted=True)
    sender(lambda: [run]).send()
    points = metrics_of(receiver.requests[0])[HTTP].histogram.data_points
    found = {}
    for point in points:
        told = attributes_of(point)
        found[told["error.type"], told.get("http.response.status_code")] = point.count
    assert found == {
        ("throttled", 429): 1,
        ("throttled", None): 2,
        ("timeout", None): 2,
        ("model_error", 424): 3,
        ("model_error", None): 1,
    }


def test_deltas_add_up_even_if_one_was_lost(sender, receiver, values) -> None:
    at = {"run": values[2]}
    made = sender(lambda: [at["run"]], OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta")
    made.send()
    receiver.refuses = True
    at["run"] = values[4]
    with pytest.raises(RuntimeError):
        made.send()
    receiver.refuses = False
    at["run"] = values[-1]
    made.send()
    first, second = [
        metrics_of(request)["loadtest.request.duration"].exponential_histogram for request in receiver.requests
    ]
    assert first.aggregation_temporality == second.aggregation_temporality == 1, "delta"
    counts = [histogram.data_points[0].count for histogram in (first, second)]
    assert counts == [values[2].counts.ok, values[-1].counts.ok - values[2].counts.ok]
    assert second.data_points[0].start_time_unix_nano == first.data_points[0].time_unix_nano


def test_the_variables_are_honoured(sender, receiver, values) -> None:
    made = sender(
        lambda: [values[-1]],
        OTEL_SERVICE_NAME="nightly",
        OTEL_RESOURCE_ATTRIBUTES="team=ml",
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue",
        OTEL_METRIC_EXPORT_INTERVAL="1500",
    )
    made.send()
    assert made.every_s == 1.5
    found = attributes_of(receiver.requests[0].resource_metrics[0].resource)
    assert (found["service.name"], found["team"]) == ("nightly", "ml")
    assert receiver.headers[0]["x-tenant"] == "blue"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", r"http/protobuf and grpc are .got http/json"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10s", "10s"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "above 0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "soon"),
    ],
)
def test_variables_that_cannot_be_used(monkeypatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=told):
        OtlpSender(lambda: ())


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nobody_there_is_a_reason_and_nothing_on_the_terminal(monkeypatch, values, protocol: str, capfd) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")  # one retry, which is when it says why
    made = OtlpSender(lambda: [values[-1]])
    with pytest.raises((RuntimeError, OSError), match=r"(?i)refused|connect|unavailable"):
        made.send()
    made.close()
    assert capfd.readouterr() == ("", "")

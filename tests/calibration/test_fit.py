"""Ceilings from windows, and whether a machine is enough."""

from __future__ import annotations

import json

import pytest
from windows import flat_frame

from loadtest.calibration.fit import Calibration, Ceiling, Demand, Fit, ceiling_of, fit, path_of
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import TargetRef


def _window(index: int, latency_us: int, *, ok: int = 1000, cpu: float = 0.5, model_us: int | None = 100) -> Window:
    recorder = Recorder()
    for _ in range(ok):
        recorder.record(Outcome(Kind.OK, 200, 0, 0, 0, latency_us * 1000, model_us))
    return recorder.take(flat_frame(index, index, index + 1, None, 1, 1, 1.0, cpu=cpu))


def test_a_ceiling_is_the_rate_at_a_whole_core_and_the_latency_above_the_endpoints_own() -> None:
    single = [_window(0, 300, ok=100)]
    loaded = [_window(1, 5100), _window(2, 5100, ok=3000, cpu=0.7)]
    ceiling = ceiling_of("http", 50, single, loaded)
    assert (ceiling.per_s, ceiling.cpu, ceiling.per_core_per_s) == pytest.approx((2000, 0.6, 2000 / 0.6))
    assert (ceiling.added_p50_ms, ceiling.added_p99_ms) == pytest.approx((0.2, 0.2), abs=0.002)
    assert (ceiling.loaded_p50_ms, ceiling.loaded_p99_ms) == pytest.approx((5.0, 5.0), rel=0.002)


def test_the_null_target_adds_no_latency_since_no_request_goes_out() -> None:
    ceiling = ceiling_of("null", 1, [], [_window(0, 1, model_us=None, cpu=1.0)])
    assert (ceiling.per_core_per_s, ceiling.added_p50_ms, ceiling.loaded_p99_ms) == (1000, None, None)


@pytest.mark.parametrize("loaded", [[], [_window(0, 1, ok=0)], [_window(0, 1, cpu=0.0)]])
def test_nothing_measured_is_no_ceiling(loaded: list[Window]) -> None:
    with pytest.raises(ValueError, match="requests succeeded"):
        ceiling_of("http", 50, [], loaded)


@pytest.mark.parametrize(
    ("per_s", "workers", "cores", "expected"),
    [
        (800, 1, 2, Fit(True, 1)),
        (7000, 1, 2, Fit(True, 1)),
        (7001, 1, 2, Fit(False, 2)),
        (7001, 2, 2, Fit(True, 2)),
        # More processes than cores add nothing.
        (14_001, 4, 2, Fit(False, None)),
        (0.001, 1, 1, Fit(True, 1)),
    ],
)
def test_whether_a_machine_is_enough(per_s: float, workers: int, cores: int, expected: Fit) -> None:
    ceiling = Ceiling("http", 50, 5000, 0.5, 10_000)
    assert fit(ceiling, Demand(per_s, "x"), workers, cores) == expected


@pytest.mark.parametrize(
    ("target", "endpoint_url", "path"),
    [
        ("sagemaker:x", None, "https"),
        ("sagemaker:x", "https://127.0.0.1:1", "https"),
        ("sagemaker:x", "http://127.0.0.1:1", "http"),
        ("SageMaker:x", "HTTP://127.0.0.1:1", "http"),
        ("MOCK:servers=4", None, "http"),
        ("mock:servers=4", None, "http"),
        ("http://127.0.0.1/invocations", None, "http"),
        ("https://127.0.0.1/invocations", None, "https"),
        ("null:", None, "null"),
        ("boto3:x", None, None),
        ("package.module:Name", None, None),
    ],
)
def test_the_path_of_a_target(target: str, endpoint_url: str | None, path: str | None) -> None:
    assert path_of(TargetRef(target, {"endpoint_url": endpoint_url})) == path


def test_it_is_read_back_as_it_was_and_nothing_else_is() -> None:
    calibration = Calibration(
        1.5, "host", {"cores": 2}, (Ceiling("http", 50, 5000, 0.5, 10_000, 0.1),), {"https": "no"}
    )
    values = json.loads(json.dumps(calibration.to_dict()))
    assert Calibration.from_dict(values) == calibration
    assert calibration.ceiling("https") is None
    with pytest.raises(ValueError, match="schema_version"):
        Calibration.from_dict({**values, "schema_version": 0})

"""Where a calibration is kept, and what a job is estimated to need."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.calibration import store as calibration_store
from loadtest.calibration.demand import demand_of
from loadtest.calibration.fit import Calibration, Ceiling, Demand
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import TargetRef

CALIBRATION = Calibration(1.5, "host", {"cores": 2}, (Ceiling("null", 1, 5000, 0.5, 10_000),))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "loadtest"


def test_what_is_saved_is_loaded(cache: Path) -> None:
    assert calibration_store.load() is None
    assert calibration_store.save(CALIBRATION).parent == cache
    calibration_store.save(CALIBRATION)
    assert calibration_store.load() == CALIBRATION
    assert [path.name[:12] for path in cache.iterdir()] == ["calibration-"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 1}', '{"schema_version": 99}', "\x00"])
def test_a_damaged_file_is_no_calibration(text: str) -> None:
    calibration_store.save(CALIBRATION).write_text(text)
    assert calibration_store.load() is None


def test_another_host_or_version_has_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    calibration_store.save(CALIBRATION)
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert calibration_store.load() is None
    monkeypatch.undo()
    monkeypatch.setattr("loadtest.engine.parent.environment.VERSION", "9.9.9")
    assert calibration_store.load() is None


def test_a_relative_cache_directory_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert calibration_store.calibration_file().parent == tmp_path / ".cache" / "loadtest"


GOAL = StopConditions(max_invocations_per_min=48_000)


@pytest.mark.parametrize(
    ("target", "users", "stop", "arrivals", "expected"),
    [
        ("sagemaker:x", 10, StopConditions(), None, None),
        (None, 10, StopConditions(), None, None),
        (None, 10, GOAL, None, Demand(800, "MaxInvocations")),
        ("sagemaker:x", 10, GOAL, None, Demand(800, "MaxInvocations")),
        ("mock:servers=4,service_ms=20", 10, GOAL, None, Demand(200, "the mock's service time")),
        ("Mock:servers=4,service_ms=20", 3, GOAL, None, Demand(150, "the mock's service time")),
        ("mock:servers=4,service_ms=0", 3, GOAL, None, Demand(800, "MaxInvocations")),
        ("mock:nonsense=1", 3, StopConditions(), None, None),
        ("sagemaker:x", 5000, GOAL, Arrivals(500, 30), Demand(500, "--rate", estimate=False)),
    ],
)
def test_demand(
    target: str | None, users: int, stop: StopConditions, arrivals: Arrivals | None, expected: Demand | None
) -> None:
    found = demand_of(None if target is None else TargetRef(target), users, stop, arrivals)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.per_s == pytest.approx(expected.per_s)
        assert (found.source, found.estimate) == (expected.source, expected.estimate)

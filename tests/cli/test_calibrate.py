"""`loadtest calibrate` for real, and what `preview` says once it is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loadtest.calibration import store as calibration_store
from loadtest.calibration.fit import Calibration, Ceiling
from loadtest.cli.calibrate import fit_line
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import TargetRef
from loadtest.engine.parent.environment import environment


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "loadtest"


@pytest.fixture
def calibrated() -> None:
    ceilings = (Ceiling("http", 50, 5000, 0.25, 20_000), Ceiling("https", 50, 2500, 0.25, 10_000))
    calibration_store.save(Calibration(1.5, "host", environment(), ceilings))


@pytest.mark.slow
def test_it_measures_every_path_and_keeps_it(execute: Any, cache: Path) -> None:
    done = execute("calibrate", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (file,) = cache.iterdir()
    assert told.pop("path") == str(file)
    assert json.loads(file.read_text()) == told
    ceilings = {ceiling["path"]: ceiling for ceiling in told["ceilings"]}
    if shutil.which("openssl"):
        assert set(ceilings) == {"null", "http", "https"}
        assert ceilings["https"]["per_core_per_s"] < ceilings["null"]["per_core_per_s"]
    else:
        assert "openssl" in told["not_measured"]["https"]
    assert ceilings["http"]["per_core_per_s"] < ceilings["null"]["per_core_per_s"]
    assert ceilings["http"]["added_p50_ms"] > 0


@pytest.mark.slow
def test_without_openssl_it_says_so(invoke: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = invoke("calibrate", "--seconds", "2")
    assert result.exit_code == 0, result.stderr
    assert "signed, TLS          not measured: the program openssl" in result.stdout


@pytest.mark.parametrize(
    ("target", "stop", "arrivals", "workers", "words"),
    [
        (
            TargetRef("mock:servers=16,service_ms=20"),
            StopConditions(),
            None,
            1,
            "needs up to 800 req/s (an estimate from the mock's service time); "
            "this machine does 20,000 req/s a core, signed, plain HTTP: fine",
        ),
        (
            None,
            StopConditions(max_invocations_per_min=60_000),
            None,
            1,
            "needs up to 1,000 req/s (an estimate from MaxInvocations); "
            "this machine does 10,000 req/s a core, signed, TLS: fine",
        ),
        (TargetRef("sagemaker:x"), StopConditions(), Arrivals(7000, 1), 1, "needs up to 7,000 req/s; this"),
        (TargetRef("sagemaker:x"), StopConditions(), Arrivals(1e6, 1), 1, "too little, join generators"),
        (TargetRef("sagemaker:x"), StopConditions(), None, 1, None),
        (TargetRef("boto3:x"), StopConditions(), Arrivals(10, 1), 1, None),
    ],
)
@pytest.mark.usefixtures("calibrated")
def test_what_is_said_of_a_job(
    target: TargetRef | None, stop: StopConditions, arrivals: Arrivals | None, workers: int, words: str | None
) -> None:
    line = fit_line(target, 100, stop, arrivals, workers)
    assert (line is None) == (words is None)
    assert words is None or words in (line or "")


def test_without_a_calibration_nothing_is_said() -> None:
    assert fit_line(TargetRef("mock:"), 10, StopConditions()) is None


@pytest.mark.usefixtures("calibrated")
def test_preview_uses_it(invoke: Any, edit_job: Any) -> None:
    path = edit_job("14-advanced", lambda job: job.update(Loadtest={"target": "mock:servers=4,service_ms=20"}))
    result = invoke("preview", path)
    assert result.exit_code == 0, result.stderr
    assert "machine needs up to" in result.stdout

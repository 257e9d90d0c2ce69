"""`loadtest recommend` as a user types it: what it exits with, what it writes, what ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from requests_made import stairs_request
from siblings import siblings

from loadtest.cli import main
from loadtest.cli.account_flags import account_options
from loadtest.core.request.spec import LoadTest
from loadtest.core.traffic.plan import TargetRef
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.provision import Wanted
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.subject import Subject
from loadtest.recommendation.endpoints import NamedTargets

REAL = "http://127.0.0.1:9/invocations"  # never asked: virtual time has no real targets


def _job(folder: Path, *types: str, **changes: Any) -> str:
    request = stairs_request("job", users=2, steps=2, seconds=120)
    request["InputConfig"]["EndpointConfigurations"] = [{"InstanceType": each} for each in types]
    (folder / "job.json").write_text(json.dumps({**request, **changes}))
    return str(folder / "job.json")


def _fleet(folder: Path, **targets: str) -> str:
    """Targets of instance types, whose dots are written as underscores."""
    entries = {name.replace("_", "."): {"target": target} for name, target in targets.items()}
    (folder / "fleet.json").write_text(json.dumps({"instances": entries}))
    return str(folder / "fleet.json")


def _recommend(folder: Path, *words: str) -> Any:
    found = CliRunner().invoke(main, ["recommend", *words, "--output-dir", str(folder / "out")])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def test_the_page_has_the_job_its_tests_and_the_recommendations_of_describe(tmp_path: Path) -> None:
    job = _job(tmp_path, "ml.c5.xlarge", "ml.m5.xlarge")
    done = _recommend(tmp_path, job, "--mock", "--engine", "sim")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "report.html").read_text()
    described = json.loads((tmp_path / "out" / "describe.json").read_text())
    assert len(described["InferenceRecommendations"]) == 2
    for each in described["InferenceRecommendations"]:
        assert each["EndpointConfiguration"]["InstanceType"] in page
        assert each["RecommendationId"] in page


@pytest.mark.parametrize(
    ("targets", "words", "code"),
    [
        ({}, (), 0),
        ({"ml_m5_xlarge": REAL}, (), 0),
        ({"ml_m5_xlarge": REAL}, ("--strict",), 3),
        ({"ml_m5_xlarge": REAL, "ml_c5_xlarge": REAL}, (), 1),
        ({"ml_m5_xlarge": REAL, "ml_c5_xlarge": REAL}, ("--strict",), 1),
    ],
    ids=["all", "one-fails", "one-fails-strictly", "none", "none-strictly"],
)
def test_what_it_exits_with(targets: dict[str, str], words: tuple[str, ...], code: int, tmp_path: Path) -> None:
    job = _job(tmp_path, "ml.c5.xlarge", "ml.m5.xlarge")
    fleet = _fleet(tmp_path, **targets)
    done = _recommend(tmp_path, job, "--mock", "--engine", "sim", "--fleet", fleet, "--no-report", *words)
    assert done.exit_code == code, done.output
    assert ("can only be tested in real time" in done.output) == bool(targets)
    assert (tmp_path / "out" / "describe.json").exists(), "what was found is kept, whatever it is"


def test_what_is_wrong_is_said_before_anything_begins_and_nothing_is_left(tmp_path: Path) -> None:
    done = _recommend(tmp_path, _job(tmp_path, "ml.c5.xlarge", JobType="Odd"), "--mock", "--engine", "sim")
    assert (done.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "JobType" in done.stderr
    fleet = _fleet(tmp_path, ml_c5_xlarge="plugin_targets:Sleeper", ml_m5_xlarge="plugin_targets:Slow")
    job = _job(tmp_path, "ml.c5.xlarge")
    for words in (("--mock",), ()):
        done = _recommend(tmp_path, job, *words, "--fleet", fleet, "--allow-plugin", "plugin_targets:Slow")
        assert (done.exit_code, (tmp_path / "out").exists()) == (2, False)
        assert "instances.ml.c5.xlarge.target: a plug-in is code" in done.stderr
        assert "give --allow-plugin plugin_targets:Sleeper" in done.stderr
        assert "plugin_targets:Slow" not in done.stderr
    done = _recommend(tmp_path, job, "--mock", "--budget", "1")
    assert "--budget: means nothing without --deploy" in done.stderr


def test_a_page_that_cannot_be_written_is_said_and_exits_with_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loadtest.report.html.render.write_report", full)
    done = _recommend(tmp_path, _job(tmp_path, "ml.c5.xlarge"), "--mock", "--engine", "sim")
    assert done.exit_code == 5
    assert "not written: report.html: No space left on device" in done.stderr


def test_the_flags_of_an_account_are_those_of_targets_that_the_fleet_file_gives_none(tmp_path: Path) -> None:
    given = {"region": "eu-west-1", "aws_profile": "p", "endpoint_url": None, "ca_file": "/ca.pem", "other": 1}
    options = account_options(given)
    assert (options, given) == ({"region": "eu-west-1", "profile": "p", "ca_file": "/ca.pem"}, {"other": 1})
    file = tmp_path / "fleet.yaml"
    file.write_text(
        "endpoints:\n"
        "  signed: {target: 'sagemaker:signed'}\n"
        "  mine: {target: 'sagemaker:mine', options: {region: us-west-2}}\n"
        "  tls: {target: 'https://127.0.0.1:9/invocations'}\n"
        "  plain: {target: 'http://127.0.0.1:9/invocations'}\n"
    )
    targets = NamedTargets(Fleet.load(file, live=True), "fleet.yaml", options)
    found: dict[str, TargetRef] = {}
    for name in ("signed", "mine", "tls", "plain"):
        test, subject = LoadTest(0, endpoint_name=name), Subject(name, existing=True)
        wanted = Wanted("j", None, test, subject, print, StopSignal())  # type: ignore[arg-type]
        found[name] = targets.provide(wanted).target
    assert found["signed"].options == options
    assert found["mine"].options == {**options, "region": "us-west-2"}
    assert found["tls"].options == {"ca_file": "/ca.pem"}
    assert found["plain"].options == {}


@pytest.mark.live
@pytest.mark.parametrize("times", siblings([2, 1]))
def test_ctrl_c_ends_it_and_keeps_what_was_found(times: int, tmp_path: Path) -> None:
    job = _job(tmp_path, "ml.c5.xlarge")
    command = [sys.executable, "-m", "loadtest", "recommend", job, "--mock", "--output-dir", str(tmp_path / "out")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until_s = time.monotonic() + 60
    while not [path for path in (tmp_path / "out").rglob("windows.jsonl*") if path.stat().st_size]:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    for _ in range(times):
        run.send_signal(signal.SIGINT)
        time.sleep(0.3)  # two that come at once are one to the kernel
    text = run.communicate(timeout=120)[0]
    assert run.returncode == 130, text
    assert "Traceback" not in text
    assert json.loads((tmp_path / "out" / "describe.json").read_text())["Status"] == "STOPPED"
    (test,) = (tmp_path / "out" / "tests").iterdir()
    assert (test / "summary.json").exists()

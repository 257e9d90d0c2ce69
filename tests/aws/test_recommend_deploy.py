"""`loadtest recommend --deploy` as a user runs it, against moto: to its end, to Ctrl-C, to SIGKILL; and no secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door
from emulator_client import create_model
from requests_made import stairs_request
from siblings import siblings

SECRETS = ("sekrit-that-nobody-may-see", "AKIDEXAMPLE", "a-token-of-the-model")
CALLS = (
    "CreateEndpoint",
    "DeleteEndpoint",
    "CreateModel",
    "CreateEndpointConfig",
    "DeleteEndpointConfig",
    "DeleteModel",
)
VALUES = [{"Name": "OMP_NUM_THREADS", "Value": ["1", "2"]}]


def _start(
    door: Door, folder: Path, seconds: int, *more: str, verb: str = "recommend", report: bool = False
) -> subprocess.Popen[str]:
    request = stairs_request("job", users=1, steps=1, seconds=seconds)
    ranges = {"EnvironmentParameterRanges": {"CategoricalParameterRanges": VALUES}}
    types = ("ml.c5.xlarge", "ml.m5.xlarge")
    request["InputConfig"] |= {
        "ModelName": "base",
        "EndpointConfigurations": [{"InstanceType": each, **ranges} for each in types],
        "ResourceLimit": {"MaxParallelOfTests": 2},
    }
    (folder / "job.json").write_text(json.dumps(request))
    words = [
        str(folder / "job.json"),
        "--deploy",
        "--output-dir",
        str(folder / "out"),
        *(() if report else ("--no-report",)),
    ]
    place = ["--endpoint-url", door.url, "--region", "us-east-1"]
    command = [sys.executable, "-m", "loadtest", verb, *(words if verb == "recommend" else []), *place, *more]
    return subprocess.Popen(command, env=_env(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _env(folder: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}


def _there(sagemaker: Any) -> list[str]:
    endpoints = [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]]
    configs = [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    models = [each["ModelName"] for each in sagemaker.list_models()["Models"]]
    return [name for name in (*endpoints, *configs, *models) if name != "base"]


def _await(door: Door, operation: str, count: int) -> None:
    until_s = time.monotonic() + 60
    while len(door.made(operation)) < count:
        assert time.monotonic() < until_s, operation
        time.sleep(0.05)


def _seen(pid: int) -> str:
    """Command lines and environments of the children of a process, and of theirs."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == pid:
                    found += [(path / name).read_text(errors="replace") for name in ("cmdline", "environ")]
                    found.append(_seen(int(path.name)))
            except OSError:
                continue
    return "\n".join(found)


@pytest.mark.live
def test_without_yes_it_says_what_it_would_make_and_makes_nothing(door: Door, sagemaker: Any, tmp_path: Path) -> None:
    create_model(sagemaker, "base")
    done = _start(door, tmp_path, 1, "--budget", "1")
    text = done.communicate(timeout=60)[0]
    assert done.returncode == 2, text
    assert "4 endpoints, each with a model and a configuration, in us-east-1" in text
    assert "nothing was made: give --yes" in text
    assert not door.made("CreateModel")
    done = _start(door, tmp_path, 1, "--yes")
    assert "--budget: is missing" in done.communicate(timeout=60)[0]
    assert done.returncode == 2


@pytest.mark.live
def test_two_types_with_two_values_are_ranked_all_is_gone_and_no_secret_is_anywhere(
    door: Door, sagemaker: Any, tmp_path: Path
) -> None:
    create_model(sagemaker, "base", HF_TOKEN=SECRETS[2])
    run = _start(door, tmp_path, 3, "--yes", "--budget", "5", report=True)
    _await(door, "InvokeEndpoint", 1)
    children = _seen(run.pid)
    assert "loadtest.engine.generator.child" in children
    assert "XDG_STATE_HOME" in children, "environments are seen"
    journal = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.jsonl"))
    text = run.communicate(timeout=120)[0]
    assert run.returncode == 0, text
    described = json.loads((tmp_path / "out" / "describe.json").read_text())
    assert len(described["InferenceRecommendations"]) == 4
    asked = {
        (
            each["EndpointConfiguration"]["InstanceType"],
            each["ModelConfiguration"]["EnvironmentParameters"][0]["Value"],
        )
        for each in described["InferenceRecommendations"]
    }
    assert len(asked) == 4
    assert all(each["Metrics"]["CostPerInference"] > 0 for each in described["InferenceRecommendations"])
    assert _there(sagemaker) == []
    assert len(door.made("CreateEndpoint")) == len(door.made("DeleteEndpoint")) == 4
    assert not list((tmp_path / "state").rglob("*.jsonl")), "the journal ends with what was in it"
    written = [path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 10
    assert (tmp_path / "out" / "report.html").exists()
    assert "sm-epc-" in journal
    for secret in SECRETS:
        assert all(secret not in each for each in (*written, text, journal, children)), secret


@pytest.mark.slow
@pytest.mark.live
def test_a_budget_that_lets_not_all_begin_is_no_success(door: Door, sagemaker: Any, tmp_path: Path) -> None:
    create_model(sagemaker, "base")
    # Enough for the end of one endpoint at 0.204 USD an hour, and not of two at once.
    run = _start(door, tmp_path, 1, "--yes", "--budget", "0.0125")
    text = run.communicate(timeout=120)[0]
    assert run.returncode == 1, text
    assert "the budget of 0.0125 USD was used up" in text
    assert "another endpoint costs" in text
    assert (tmp_path / "out" / "describe.json").exists()
    assert _there(sagemaker) == []
    assert not list((tmp_path / "state").rglob("*.jsonl"))


@pytest.mark.live
def test_ctrl_c_deletes_everything(door: Door, sagemaker: Any, tmp_path: Path) -> None:
    create_model(sagemaker, "base")
    run = _start(door, tmp_path, 60, "--yes", "--budget", "5")
    _await(door, "InvokeEndpoint", 1)
    run.send_signal(signal.SIGINT)
    text = run.communicate(timeout=120)[0]
    assert run.returncode == 130, text
    assert _there(sagemaker) == []
    assert not list((tmp_path / "state").rglob("*.jsonl"))


@pytest.mark.live
@pytest.mark.parametrize("operation", siblings(CALLS))
def test_sigkill_in_the_middle_of_any_call_leaves_nothing_that_cleanup_does_not_find(
    operation: str, door: Door, sagemaker: Any, tmp_path: Path
) -> None:
    create_model(sagemaker, "base")
    run = _start(door, tmp_path, 1, "--yes", "--budget", "5")
    # The call is on its way, and is carried out, when its caller dies.
    door.on_call = lambda called: run.kill() if called == operation else None
    run.communicate(timeout=120)
    assert run.returncode == -signal.SIGKILL
    assert door.made(operation)
    until_s = time.monotonic() + 30
    while door.busy:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    cleaned = _start(door, tmp_path, 1, "--yes", verb="cleanup")
    text = cleaned.communicate(timeout=60)[0]
    assert cleaned.returncode == 0, text
    assert _there(sagemaker) == []
    assert not list((tmp_path / "state").rglob("*.jsonl"))


@pytest.mark.live
def test_after_sigkill_the_next_run_refuses_and_cleanup_removes_what_is_left(
    door: Door, sagemaker: Any, tmp_path: Path
) -> None:
    create_model(sagemaker, "base")
    run = _start(door, tmp_path, 60, "--yes", "--budget", "5")
    _await(door, "InvokeEndpoint", 1)
    busy = _start(door, tmp_path, 1, verb="cleanup")
    assert "a run still uses it" in busy.communicate(timeout=60)[0]
    run.kill()
    run.communicate(timeout=60)
    left = _there(sagemaker)
    assert left
    again = _start(door, tmp_path, 1, "--yes", "--budget", "5")
    assert "an earlier run left something in an account" in again.communicate(timeout=60)[0]
    assert again.returncode == 2
    listed = _start(door, tmp_path, 1, verb="cleanup")
    text = listed.communicate(timeout=60)[0]
    assert all(name in text for name in left)
    assert "give --yes" in text
    assert _there(sagemaker) == left
    for words in ("removed endpoint sm-epc-", "no journal is open"):
        cleaned = _start(door, tmp_path, 1, "--yes", verb="cleanup")
        text = cleaned.communicate(timeout=60)[0]
        assert cleaned.returncode == 0, text
        assert words in text
        assert _there(sagemaker) == []

"""action.yml and docs/ci/gitlab.yml: their shell is run, as far as it can be without those services."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml
from requests_made import stairs_request

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
GITLAB = yaml.safe_load((ROOT / "docs" / "ci" / "gitlab.yml").read_text())["loadtest"]
TARGET = "mock:servers=4,service_ms=5"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    request = stairs_request("ci", users=1, steps=2, seconds=2)
    request["Loadtest"] = {"options": {"window_s": 0.25, "drain_s": 5}}
    path = tmp_path / "job.json"
    path.write_text(json.dumps(request))
    return path


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As the services do it: bash, ending at the first failure, with this installation's commands first."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        **variables,
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """A step of the action, its inputs put in where the expressions are."""
    found: dict[str, Any] = next(each for each in ACTION["runs"]["steps"] if each["name"] == name)
    given = {key: str(value.get("default", "")) for key, value in ACTION["inputs"].items()} | inputs
    variables = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], value)
        for key, value in found["env"].items()
    }
    assert "${{" not in found["run"], "an expression in a script is a way to inject commands"
    return shell(found["run"], folder, **variables)


def test_every_expression_of_the_action_names_an_input_or_a_step() -> None:
    text = (ROOT / "action.yml").read_text()
    ids = {each["id"] for each in ACTION["runs"]["steps"] if "id" in each}
    for expression in re.findall(r"\$\{\{ (.+?) \}\}", text):
        root, name = expression.split(".")[:2]
        assert (root == "inputs" and name in ACTION["inputs"]) or (root == "steps" and name in ids) or root == "github"
    assert all(each["shell"] == "bash" for each in ACTION["runs"]["steps"])


@pytest.mark.slow
@pytest.mark.live
def test_the_action(job: Path, tmp_path: Path) -> None:
    inputs = {"job": job.name, "target": TARGET, "thresholds": "p95<2s\n\nrate>100000/s\n"}
    done = step("Run", tmp_path, **inputs)
    assert done.returncode == 99, done.stderr
    assert (tmp_path / "output").read_text().splitlines() == ["folder=loadtest-run", "junit=loadtest-run/junit.xml"]
    root = ElementTree.parse(tmp_path / "loadtest-run" / "junit.xml").getroot()
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == ["rate>100000/s"]
    assert "| :x: | rate&gt;100000/s | not met |" in (tmp_path / "summary.md").read_text()

    kept = step("Run", tmp_path, **{**inputs, "thresholds": "", "output-dir": "second"})
    assert kept.returncode == 0, kept.stderr
    compared = step("Compare", tmp_path, baseline="loadtest-run", **{"output-dir": "second", "margin": "90%"})
    assert compared.returncode == 0, compared.stderr
    assert (tmp_path / "summary.md").read_text().count("### Load test") == 3


@pytest.mark.slow
@pytest.mark.live
def test_the_gitlab_template(job: Path, tmp_path: Path) -> None:
    variables = {**GITLAB["variables"], "LOADTEST_INSTALL": "", "LOADTEST_TARGET": TARGET}
    variables["LOADTEST_THRESHOLDS"] = "p95<2s error_rate<50%"
    done = shell("\n".join(GITLAB["script"]), tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    folder = variables["LOADTEST_FOLDER"]
    assert (tmp_path / "summary.md").exists()
    junit = GITLAB["artifacts"]["reports"]["junit"].replace("$LOADTEST_FOLDER", folder)
    names = {case.get("name") for case in ElementTree.parse(tmp_path / junit).getroot().iter("testcase")}
    assert {"p95<2s", "error_rate<50%"} <= names

    variables |= {"LOADTEST_FOLDER": "second", "LOADTEST_BASELINE": folder, "LOADTEST_THRESHOLDS": "rate>100000/s"}
    failed = shell("\n".join(GITLAB["script"]), tmp_path, **variables)
    assert failed.returncode == 99
    assert not (tmp_path / "comparison.md").exists(), "a failed gate ends the job"

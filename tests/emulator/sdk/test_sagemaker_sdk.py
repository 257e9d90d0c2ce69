"""The SageMaker Python SDK in environments of its own, from a model to a deployed endpoint.

LOADTEST_SDK_PYTHON names the Python of an environment with `sagemaker<3`, LOADTEST_SDK3_PYTHON of one with
`sagemaker>=3,<4`, which brings sagemaker-core 2.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from loadtest.testing import recommender

SDK_PYTHON = os.environ.get("LOADTEST_SDK_PYTHON", "")
SDK3_PYTHON = os.environ.get("LOADTEST_SDK3_PYTHON", "")

pytestmark = pytest.mark.slow
needs_sdk = pytest.mark.skipif(not SDK_PYTHON, reason="LOADTEST_SDK_PYTHON is not set")
needs_sdk3 = pytest.mark.skipif(not SDK3_PYTHON, reason="LOADTEST_SDK3_PYTHON is not set")


def _run(python: str, script: str, folder: Path) -> tuple[dict[str, Any], str]:
    """(what the script wrote, what it printed) beside an emulator of its own."""
    path = Path(__file__).with_name(script)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
    # The SDKs report what they are used for to a bucket of AWS's, whatever AWS_ENDPOINT_URL says.
    settings = folder / "sagemaker.yaml"
    settings.write_text('{SchemaVersion: "1.0", SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}}\n')
    environment |= {"HOME": str(folder), "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings)}
    with recommender() as server:
        done = subprocess.run(
            [python, "-W", "ignore", str(path), server.url, str(folder / "result.json")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result, done.stdout + done.stderr


@needs_sdk
def test_right_size_and_deploy(tmp_path: Path) -> None:
    result, printed = _run(SDK_PYTHON, "right_size.py", tmp_path)
    assert 1 <= len(result["recommendations"]) <= 4
    cheapest = result["recommendations"][-1]
    assert result["variant"]["InstanceType"] == cheapest["EndpointConfiguration"]["InstanceType"]
    assert result["variant"]["InitialInstanceCount"] == cheapest["EndpointConfiguration"]["InitialInstanceCount"]
    costs = [item["Metrics"]["CostPerInference"] for item in result["recommendations"]]
    assert costs[-1] == min(costs)
    assert result["body"]
    assert "Job right-size COMPLETED" in printed, "the SDK shows the job's log"


@needs_sdk3
def test_sdk_3_builds_right_sizes_and_deploys(tmp_path: Path) -> None:
    result, printed = _run(SDK3_PYTHON, "model_builder.py", tmp_path)
    assert 1 <= len(result["recommendations"]) <= 4
    assert "Job right-size-3 COMPLETED" in printed, "the SDK shows the job's log"
    by_job, by_model = result["deployed"]["by-job"], result["deployed"]["by-model"]
    cheapest = result["recommendations"][-1]["EndpointConfiguration"]
    assert (by_job["instance_type"], by_job["instances"]) == (
        cheapest["InstanceType"],
        cheapest["InitialInstanceCount"],
    )
    assert result["instant"]["RecommendationStatus"] == "COMPLETED"
    assert by_model["instance_type"] == result["instant"]["RealTimeInferenceRecommendations"][0]["InstanceType"]
    assert by_job["body"] == by_model["body"] == '{"predictions": [[0.5]]}'


@needs_sdk3
def test_the_resources_of_sagemaker_core(tmp_path: Path) -> None:
    result, _ = _run(SDK3_PYTHON, "core_resources.py", tmp_path)
    assert result == {
        "variant": "blue",
        "body": '{"predictions": [[0.5]]}',
        "instances": 2,
        "instant": "COMPLETED",
        "status": "COMPLETED",
        "recommended": ["ml.c5.xlarge"],
        "steps": ["core"],
        "models": ["core"],
        "endpoints": ["core"],
        "jobs": ["core"],
        "left": [],
    }

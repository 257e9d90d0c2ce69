"""The SageMaker Python SDK 2.x, in an environment of its own, from CreateModel to a deployed endpoint.

LOADTEST_SDK_PYTHON names the Python of an environment with `sagemaker<3`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from loadtest.testing import recommender

SDK_PYTHON = os.environ.get("LOADTEST_SDK_PYTHON", "")


@pytest.mark.slow
@pytest.mark.skipif(not SDK_PYTHON, reason="LOADTEST_SDK_PYTHON is not set")
def test_right_size_and_deploy(tmp_path: Path) -> None:
    script = Path(__file__).with_name("right_size.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
    environment["HOME"] = str(tmp_path)
    with recommender() as server:
        done = subprocess.run(
            [SDK_PYTHON, "-W", "ignore", str(script), server.url, str(tmp_path / "result.json")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert 1 <= len(result["recommendations"]) <= 4
    cheapest = result["recommendations"][-1]
    assert result["variant"]["InstanceType"] == cheapest["EndpointConfiguration"]["InstanceType"]
    assert result["variant"]["InitialInstanceCount"] == cheapest["EndpointConfiguration"]["InitialInstanceCount"]
    costs = [item["Metrics"]["CostPerInference"] for item in result["recommendations"]]
    assert costs[-1] == min(costs)
    assert result["body"]
    assert "Job right-size COMPLETED" in done.stdout + done.stderr, "the SDK shows the job's log"

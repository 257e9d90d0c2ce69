"""The AWS CLI, from its own package, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emulator_client import ENDED, connect, small_job

from loadtest.emulator.server import EmulatorServer

pytest.importorskip("awscli")

Aws = Callable[..., Any]


@pytest.fixture
def aws(emulator: EmulatorServer, tmp_path: Path) -> Aws:
    """Runs `aws` with the variables that `loadtest serve` prints; gives its JSON output."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **emulator.exports(),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_PAGER": "",
    }

    def run(*words: str, fails: bool = False) -> Any:
        command = [sys.executable, "-m", "awscli", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if fails:
            assert done.returncode != 0
            return done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


@pytest.mark.slow  # each command of the CLI is a process that loads botocore
def test_a_job_with_the_aws_cli(aws: Aws, tmp_path: Path) -> None:
    name = "of-the-cli"
    path = tmp_path / "job.json"
    path.write_text(json.dumps(small_job(name)))
    created = aws("sagemaker", "create-inference-recommendations-job", "--cli-input-json", f"file://{path}")
    assert created["JobArn"].endswith(f":inference-recommendations-job/{name}")
    until_s = time.monotonic() + 60
    while (job := aws("sagemaker", "describe-inference-recommendations-job", "--job-name", name))[
        "Status"
    ] not in ENDED:
        assert time.monotonic() < until_s
    assert job["Status"] == "COMPLETED"
    listed = aws("sagemaker", "list-inference-recommendations-jobs", "--page-size", "1", "--name-contains", name)
    assert [item["JobName"] for item in listed["InferenceRecommendationsJobs"]] == [name]
    steps = aws("sagemaker", "list-inference-recommendations-job-steps", "--job-name", name, "--page-size", "1")
    assert [step["Status"] for step in steps["Steps"]] == ["COMPLETED"]
    assert aws("sagemaker", "stop-inference-recommendations-job", "--job-name", name) is None
    errors = aws("sagemaker", "describe-inference-recommendations-job", "--job-name", "nobody", fails=True)
    assert "(ResourceNotFound)" in errors


@pytest.mark.live
def test_an_invocation_with_the_aws_cli(aws: Aws, emulator: EmulatorServer, tmp_path: Path) -> None:
    sagemaker = connect(emulator.url)
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
    sagemaker.create_model(
        ModelName="cli", PrimaryContainer={"Image": image}, ExecutionRoleArn="arn:aws:iam::123456789012:role/R"
    )
    variant = {"VariantName": "v", "ModelName": "cli", "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="cli", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="cli", EndpointConfigName="cli")
    request, answer = tmp_path / "in.json", tmp_path / "out.json"
    request.write_text("{}")
    aws("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "cli", "--body", f"fileb://{request}", str(answer))
    assert answer.read_bytes()

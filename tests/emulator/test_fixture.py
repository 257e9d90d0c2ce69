"""The pytest fixture in a pytest of its own, and the job of the documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from emulator_client import connect, wait_for_end
from places import ROOT

from loadtest.testing import recommender

SUITE = """
import boto3, pytest

def client(url):
    return boto3.client("sagemaker", endpoint_url=url, region_name="us-east-1",
                        aws_access_key_id="t", aws_secret_access_key="t")

@pytest.mark.parametrize("turn", [1, 2])
def test_isolated(sagemaker_recommender, turn):
    sagemaker = client(sagemaker_recommender)
    assert sagemaker.list_inference_recommendations_jobs()["InferenceRecommendationsJobs"] == []
    assert sagemaker.list_models()["Models"] == []
    sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": "i"},
                           ExecutionRoleArn="arn:aws:iam::123456789012:role/R")
    sagemaker.create_inference_recommendations_job(
        JobName="j", JobType="Default", RoleArn="arn:aws:iam::123456789012:role/R",
        InputConfig={"ModelName": "m", "ContainerConfig": {
            "Domain": "MACHINE_LEARNING", "Task": "OTHER", "Framework": "XGBOOST",
            "PayloadConfig": {"SamplePayloadUrl": "s3://b/k.tar.gz", "SupportedContentTypes": ["text/csv"]},
            "SupportedInstanceTypes": ["ml.c5.large"]}})

def test_nothing_is_left(sagemaker_recommender):
    assert client(sagemaker_recommender).list_models()["Models"] == []
"""


@pytest.mark.slow  # a pytest of its own, with an emulator for each of its tests
def test_the_fixture_is_found_and_isolated(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    installed = any(entry.value == "loadtest.testing" for entry in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "loadtest.testing"]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:hypothesispytest", *plugin, "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.slow
def test_the_job_of_the_documentation_ends_with_a_table() -> None:
    path = ROOT / "docs" / "emulator-job.json"
    with recommender() as server:
        sagemaker = connect(server.url)
        sagemaker.create_inference_recommendations_job(**json.loads(path.read_text()))
        job = wait_for_end(sagemaker, "first")
    assert job["Status"] == "COMPLETED", job.get("FailureReason")
    assert len(job["InferenceRecommendations"]) == 4
    assert all(item["Metrics"]["CostPerInference"] > 0 for item in job["InferenceRecommendations"])

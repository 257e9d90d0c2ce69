"""The verbs for embedders, and that they and the command line plan the same: one resolution of target and payload."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from samples import BUCKET, sample_store

import loadtest
from loadtest.api import plan_job, read_job
from loadtest.cli import main
from loadtest.core.judge.decision import Reason
from loadtest.errors import SpecError

TOLD = "mocks.mine:Told"


def request(url: str | None = "s3://samples/in/payload.tar.gz", **inputs: Any) -> dict[str, Any]:
    """A job of two seconds, of ten of which AWS would have it."""
    container = (
        {} if url is None else {"PayloadConfig": {"SamplePayloadUrl": url, "SupportedContentTypes": ["text/csv"]}}
    )
    return {
        "JobName": "planned",
        "JobType": "Advanced",
        "RoleArn": "arn:aws:iam::123456789012:role/none",
        "InputConfig": {
            "ModelName": "m",
            "ContainerConfig": {"Domain": "MACHINE_LEARNING", "Task": "OTHER", **container},
            "TrafficPattern": {
                "TrafficType": "STAIRS",
                "Stairs": {"DurationInSeconds": 2, "NumberOfSteps": 1, "UsersPerStep": 1},
            },
            "EndpointConfigurations": [{"InstanceType": "ml.c5.xlarge"}],
            **inputs,
        },
    }


@pytest.mark.parametrize(
    ("target", "url", "path"),
    [
        (TOLD, "s3://samples/in/payload.tar.gz", "s3://samples/in/payload.tar.gz"),
        ("mock_like:T", "s3://samples/in/payload.tar.gz", "s3://samples/in/payload.tar.gz"),
        ("nullable.targets:T", "s3://samples/in/payload.tar.gz", "s3://samples/in/payload.tar.gz"),
        ("sagemaker:mock", "s3://samples/in/payload.tar.gz", "s3://samples/in/payload.tar.gz"),
        (TOLD, "https://samples.s3.eu-west-1.amazonaws.com/in/payload.tar.gz", "s3://samples/in/payload.tar.gz"),
        (TOLD, None, None),
        ("mock:servers=2", "s3://samples/in/payload.tar.gz", None),
        ("Mock:servers=2", "s3://samples/in/payload.tar.gz", None),
        ("NULL:", "s3://samples/in/payload.tar.gz", None),
    ],
)
def test_the_jobs_sample_payload_is_sent_to_whatever_reads_it(target: str, url: str | None, path: str | None) -> None:
    payload = loadtest.plan(request(url), target=target).payload
    assert payload.path == path
    assert payload.content_type == ("application/json" if url is None else "text/csv")


def test_a_payload_that_is_given_goes_before_the_jobs() -> None:
    plan = loadtest.plan(request(), target=TOLD, payload="mine.json", content_type="text/plain")
    assert (plan.payload.path, plan.payload.content_type) == ("mine.json", "text/plain")


def test_an_address_of_no_object_is_told_with_its_place() -> None:
    with pytest.raises(SpecError) as refused:
        loadtest.plan(request("https://samples.s3.amazonaws.com/"), target=TOLD)
    (problem,) = refused.value.problems
    assert problem.path == "InputConfig.ContainerConfig.PayloadConfig.SamplePayloadUrl"
    assert "s3://BUCKET/KEY" in problem.advice


def test_a_target_is_the_one_given_else_the_scenarios_else_the_jobs_endpoint(tmp_path: Path) -> None:
    scenario = {"Loadtest": {"target": "http://127.0.0.1:9/x", "target_options": {"accept": "a/b"}}}
    file = tmp_path / "job.json"
    file.write_text(json.dumps(request(None) | scenario))
    job = read_job(file)
    assert plan_job(job).target.ref == "http://127.0.0.1:9/x"
    given = plan_job(job, target="null:").target
    assert (given.ref, given.options) == ("null:", {"accept": "a/b"})
    assert job.target(None, {"accept": "c/d"}) is not None
    own = request(None, Endpoints=[{"EndpointName": "mine"}])
    del own["InputConfig"]["EndpointConfigurations"]
    assert plan_job(read_job(own)).target.ref == "sagemaker:mine"
    with pytest.raises(SpecError, match="names no endpoint"):
        plan_job(read_job(request(None)))


@pytest.mark.parametrize("target", ["mock:servers=2", "Mock:servers=2", "MOCK:servers=2,service_ms=5"])
@pytest.mark.live
def test_a_mock_however_it_is_written_runs_for_real_and_in_virtual_time(target: str) -> None:
    assert loadtest.run(request(), target=target).totals.ok > 0
    simulated = loadtest.simulate(request(), target=target)
    assert simulated.reason is Reason.CURVE_END
    assert (simulated.label, simulated.job) == ("planned", request())


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An S3 that holds the sample payload."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("row.csv")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"1,2,3"))
    with sample_store(monkeypatch) as s3:
        s3.put_object(Bucket=BUCKET, Key="in/payload.tar.gz", Body=packed.getvalue())
        yield


@pytest.mark.live
@pytest.mark.usefixtures("samples")
def test_embedders_and_the_command_line_send_the_jobs_own_payload(tmp_path: Path) -> None:
    url = "https://samples.s3.us-east-1.amazonaws.com/in/payload.tar.gz?X-Amz-Signature=SECRET"
    result = loadtest.run(request(url), target=TOLD)
    assert {"server_error row.csv text/csv"} == set(result.totals.counts.details)
    job = tmp_path / "job.json"
    job.write_text(json.dumps(request(url)))
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["run", str(job), "--target", TOLD, "--output-dir", str(out), "--quiet"])
    assert done.exit_code in (0, 1), done.output
    assert "row.csv text/csv" in (out / "windows.jsonl").read_text()
    kept = (out / "config.json").read_text()
    assert '"s3://samples/in/payload.tar.gz"' in kept


@pytest.mark.usefixtures("samples")
def test_a_sample_payload_that_is_not_there_ends_the_run_with_words() -> None:
    with pytest.raises(loadtest.TargetError, match=r"s3://samples/no\.tar\.gz cannot be read"):
        loadtest.run(request("s3://samples/no.tar.gz"), target=TOLD)

"""A job made of a few words: a request that validates, what AWS would say to it, and the file that is written of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.core.request.parse import parse_job
from loadtest.core.request.placeholder import PLACEHOLDER_ROLE, aws_refusals, placeholders
from loadtest.errors import SpecError
from loadtest.jobfile.compose import Wish, compose, name_of
from loadtest.jobfile.jobfile import load_job
from loadtest.jobfile.written import written

ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"


def test_for_an_endpoint_of_sagemaker_aws_would_take_it() -> None:
    request, spec = compose(
        Wish(target="sagemaker:my-endpoint", stairs="2x5/10m", p95="200ms", max_invocations=3000, role_arn=ROLE)
    )
    assert aws_refusals(request) == ()
    assert parse_job(request, "aws") == spec
    assert spec.endpoints == ("my-endpoint",)
    assert spec.stop.latency is not None
    assert (spec.stop.latency.name, spec.stop.latency.limit_ms) == ("P95", 200)
    assert spec.stop.max_invocations_per_min == 3000


@pytest.mark.parametrize("target", ["http://127.0.0.1:8080/invocations", "mock:servers=4", "null:"])
def test_elsewhere_placeholders_stand_in_and_say_so(target: str) -> None:
    request, _ = compose(Wish(target=target, phases="1+3/120s", p99="1s"))
    assert [problem.path for problem in aws_refusals(request)] == [
        "RoleArn",
        "InputConfig.ModelName",
        "InputConfig.EndpointConfigurations",
    ]
    parse_job(request, "aws")  # its shape is right all the same


def test_a_real_request_has_no_placeholders() -> None:
    request = {"RoleArn": ROLE, "InputConfig": {"ModelName": "m", "EndpointConfigurations": []}}
    assert placeholders(request) == ()
    assert placeholders({**request, "RoleArn": PLACEHOLDER_ROLE}) == ("RoleArn",)


def test_what_aws_bounds_is_a_reason_too() -> None:
    request, spec = compose(Wish(target="sagemaker:e", stairs="50x2/5s", role_arn=ROLE))
    paths = [problem.path for problem in aws_refusals(request)]
    assert paths == [f"InputConfig.TrafficPattern.Stairs.{name}" for name in ("DurationInSeconds", "UsersPerStep")]
    assert len(spec.warnings) == 2


def test_every_problem_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        compose(Wish(target="mokc:", stairs="2x/1", phases="/", p95="5", p99="x", name="a b", max_invocations=0))
    paths = [problem.path for problem in caught.value.problems]
    assert set(paths) == {
        *("target", "--stairs", "--phases", "--p95", "--p99", "JobName", "StoppingConditions.MaxInvocations")
    }
    assert paths.count("--stairs") == 2


@pytest.mark.parametrize(("wish", "path"), [(Wish(target="null:"), "--stairs"), (Wish(stairs="1x1/1s"), "--target")])
def test_what_is_missing_is_named_with_its_form(wish: Wish, path: str) -> None:
    with pytest.raises(SpecError) as caught:
        compose(wish)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.advice.startswith("write --")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("sagemaker:my-endpoint", "my-endpoint"),
        ("http://127.0.0.1:8080/invocations", "127-0-0-1-8080"),
        ("http://u:secret@host/x", "host"),
        ("https://user:p@ss@host:1/x", "host-1"),
        ("mock:servers=4", "mock"),
        ("package.module:Name", "package-module"),
        ("sagemaker:" + "a-" * 31 + "a", ("a-" * 20).strip("-")),
        ("", "job"),
        (":::", "job"),
    ],
)
def test_a_name_is_valid_and_holds_no_secret(target: str, name: str) -> None:
    assert name_of(target) == name


@pytest.mark.parametrize(
    "wish",
    [
        Wish(target="http://127.0.0.1:8080/invocations", stairs="2x5/10m", p95="200ms"),
        Wish(target="sagemaker:e", phases="1+3/120s,7/5m", p99="1s", max_invocations=10, role_arn=ROLE, name="e"),
        Wish(target="mock:servers=4,service_ms=20", stairs="1x1/1s", name="yes"),
        Wish(target="http://127.0.0.1/a?b=%23'\"", stairs="1x1/1s", name="1e3"),
    ],
)
@pytest.mark.parametrize("gate", [False, True])
def test_the_file_that_is_written_reads_back(wish: Wish, gate: bool, tmp_path: Path) -> None:
    request, spec = compose(wish)
    path = tmp_path / "job.yaml"
    path.write_text(written(request, str(wish.target), path.name, gate=gate))
    job, read = load_job(path, "relaxed")
    assert (job.request, read) == (request, spec)
    assert (job.loadtest.target, job.loadtest.gate) == (wish.target, gate)
    assert ("placeholder" in job.text) == (placeholders(request) != ())

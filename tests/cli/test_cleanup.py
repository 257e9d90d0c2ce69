"""`loadtest cleanup`: what cannot be removed is said and stays in the journal; again is no error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door, Refusal
from click.testing import CliRunner
from emulator_client import connect, create_model
from siblings import siblings

from loadtest.aws.journal import Journal, Made, read_journal
from loadtest.aws.removal import JOB_TAG
from loadtest.cli import main
from loadtest.testing import recommender

pytestmark = pytest.mark.live  # a moto server, and many calls

ROLE = "arn:aws:iam::123456789012:role/R"


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Door]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
        "XDG_STATE_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    with recommender() as emulator, Door(emulator.url) as door:
        yield door


def _left(door: Door, folder: Path, account: str | None = None) -> tuple[Path, Any]:
    """A journal of an endpoint, its configuration and its model, which are there; and a client of the account."""
    sagemaker = connect(door.behind)
    create_model(sagemaker, "job-1")
    sagemaker.add_tags(
        ResourceArn=sagemaker.describe_model(ModelName="job-1")["ModelArn"], Tags=[{"Key": JOB_TAG, "Value": "job"}]
    )
    tags = [{"Key": JOB_TAG, "Value": "job"}]
    variant = {"VariantName": "v", "ModelName": "job-1", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="sm-epc-1", ProductionVariants=[variant], Tags=tags)
    sagemaker.create_endpoint(EndpointName="sm-epc-1", EndpointConfigName="sm-epc-1", Tags=tags)
    journal = Journal(folder / "left.jsonl", account)
    for kind, name in (("model", "job-1"), ("endpoint-config", "sm-epc-1"), ("endpoint", "sm-epc-1")):
        journal.creating(Made(kind, name, "job", "us-east-1", door.url))
    assert not journal.close()
    return journal.path, sagemaker


def _cleanup(*words: str) -> Any:
    return CliRunner().invoke(main, ["cleanup", *words])


def test_with_expired_credentials_it_says_what_is_left_and_later_removes_it(door: Door, tmp_path: Path) -> None:
    journal, sagemaker = _left(door, tmp_path)
    door.refuse["*"] = Refusal("ExpiredTokenException", "The security token included in the request is expired", 403)
    listed = _cleanup("--journal", str(journal))
    assert listed.exit_code == 0
    for thing in ("endpoint sm-epc-1", "endpoint-config sm-epc-1", "model job-1"):
        assert thing in listed.output
    done = _cleanup("--journal", str(journal), "--yes")
    assert done.exit_code == 1
    assert "the endpoint sm-epc-1 may still be there: ExpiredTokenException" in done.output
    assert len(read_journal(journal).left) == 3
    door.refuse.clear()
    assert _cleanup("--journal", str(journal), "--yes").exit_code == 0
    assert not journal.exists()
    assert not sagemaker.list_endpoints()["Endpoints"] + sagemaker.list_models()["Models"]
    sagemaker.close()


@pytest.mark.parametrize("operation", siblings(["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]))
def test_a_delete_that_is_refused_keeps_none_of_the_others(operation: str, door: Door, tmp_path: Path) -> None:
    journal, sagemaker = _left(door, tmp_path)
    door.refuse[operation] = Refusal("AccessDeniedException", "may not")
    done = _cleanup("--journal", str(journal), "--yes")
    assert done.exit_code == 1
    assert f"AccessDeniedException when calling {operation}: may not" in done.output
    assert done.output.count("removed ") == 2
    assert journal.exists()
    door.refuse.clear()
    assert _cleanup("--journal", str(journal), "--yes").exit_code == 0
    sagemaker.close()


@pytest.mark.slow
def test_by_the_jobs_tag_without_a_journal(door: Door, tmp_path: Path) -> None:
    journal, sagemaker = _left(door, tmp_path)
    journal.unlink()
    place = ("--tag", "job", "--endpoint-url", door.url, "--region", "us-east-1")
    assert "nothing was removed: give --yes" in _cleanup(*place).output
    done = _cleanup(*place, "--yes")
    assert done.exit_code == 0, done.output
    assert done.output.count("removed ") == 3
    assert "nothing is left" in _cleanup(*place, "--yes").output
    sagemaker.close()


def test_with_credentials_of_another_account_nothing_is_taken_for_removed(door: Door, tmp_path: Path) -> None:
    journal, sagemaker = _left(door, tmp_path, account="210987654321")
    done = _cleanup("--journal", str(journal), "--yes")
    assert done.exit_code == 1
    assert "made in the account 210987654321, and these are credentials of 123456789012" in done.output
    assert len(read_journal(journal).left) == 3
    assert not door.made("DeleteEndpoint")
    journal.write_text(journal.read_text().replace("210987654321", "123456789012"))
    assert _cleanup("--journal", str(journal), "--yes").exit_code == 0
    assert not sagemaker.list_endpoints()["Endpoints"]
    sagemaker.close()

"""`loadtest run --endpoint-name`: what is found goes to the terminal, the folder and the report; a dry run sends none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door, Refusal
from click.testing import CliRunner
from emulator_client import create_endpoint

from loadtest.cli import main


def _run(door: Door, *arguments: str) -> Any:
    words = ["run", "--endpoint-name", "e", "--stairs", "1x1/1s", "--endpoint-url", door.url, "--region", "us-east-1"]
    return CliRunner().invoke(main, [*words, *arguments])


def test_a_dry_run_shows_hours_and_price_and_invokes_nothing(door: Door, sagemaker: Any) -> None:
    create_endpoint(sagemaker, "e")
    done = _run(door, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "users    1 at most" in done.stdout
    assert "1 x ml.m5.xlarge, 0.0039 USD in that time" in done.stdout
    assert not door.made("InvokeEndpoint")


def test_an_unknown_endpoint_ends_it_before_the_traffic(door: Door, tmp_path: Path) -> None:
    done = _run(door, "--output-dir", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert "there is no endpoint e in us-east-1" in done.stderr
    assert not door.made("InvokeEndpoint")
    assert not (tmp_path / "out").exists()


@pytest.mark.live
def test_what_the_endpoint_was_is_kept_and_told(door: Door, sagemaker: Any, tmp_path: Path) -> None:
    create_endpoint(sagemaker, "e")
    done = _run(door, "--output-dir", str(tmp_path / "out"), "--plain")
    assert done.exit_code == 0, done.output
    assert "variant v0: 1 x ml.m5.xlarge" in done.stdout
    assert "a warm-up request answered" in done.stdout
    for name in ("summary.json", "config.json"):
        document = json.loads((tmp_path / "out" / name).read_text())
        found = document["existing_endpoint"] if name == "summary.json" else document["info"]["existing_endpoint"]
        assert found["variants"][0]["instance_type"] == "ml.m5.xlarge"
    assert "variant v0: 1 x ml.m5.xlarge" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.live
def test_a_run_works_where_nothing_but_invocations_is_permitted(door: Door, sagemaker: Any, tmp_path: Path) -> None:
    create_endpoint(sagemaker, "e")
    door.refuse["DescribeEndpoint"] = Refusal("AccessDeniedException", "no")
    done = _run(door, "--output-dir", str(tmp_path / "out"), "--plain")
    assert done.exit_code == 0, done.output
    assert "not known: AccessDeniedException when calling DescribeEndpoint" in done.stdout
    before = len(door.calls)
    door.refuse["*"] = lambda _: None
    done = _run(door, "--output-dir", str(tmp_path / "more"), "--plain", "--no-inspect")
    assert done.exit_code == 0, done.output
    assert {operation for operation, _ in door.calls[before:]} == {"InvokeEndpoint"}

"""`loadtest run --endpoint-name`: what is found goes to the terminal, the folder and the report; a dry run sends none."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_front import Door, Refusal
from click.testing import CliRunner
from emulator_client import connect, create_endpoint
from told import plan_of, run_of

from loadtest.aws.clients import Clients
from loadtest.aws.metrics import Place
from loadtest.aws.telemetry import Telemetry
from loadtest.cli import main
from loadtest.cli.existing import Existing


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


def _publishing(door: Door, at_look: int) -> None:
    """The endpoint publishes what it was sent each 10 s, 2 ms in the model and 1 ms over it, from a look on."""
    config = {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10}
    door.answers["DescribeEndpoint"] = lambda told: {**told, "MetricsConfig": config}
    came: Counter[int] = Counter()
    looks: Counter[int] = Counter()
    cloudwatch = connect(door.behind, "cloudwatch")
    dimensions = [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "v0"}]

    def on_call(operation: str) -> None:
        if operation == "InvokeEndpoint":
            came[int(time.time()) // 10 * 10] += 1
        if operation != "GetMetricData":
            return
        looks[0] += 1
        if looks[0] != at_look:
            return
        for at, n in came.items():
            told = {"Dimensions": dimensions, "Timestamp": datetime.fromtimestamp(at, UTC), "Counts": [n]}
            data = [
                {**told, "MetricName": "ModelLatency", "Unit": "Microseconds", "Values": [2000.0]},
                {**told, "MetricName": "OverheadLatency", "Unit": "Microseconds", "Values": [1000.0]},
                {**told, "MetricName": "Invocations", "Unit": "None", "Values": [1.0]},
            ]
            cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data)

    door.on_call = on_call


@pytest.mark.slow
@pytest.mark.live
def test_the_endpoints_own_figures_of_a_run_come_late_and_stand_beside_the_clients(
    door: Door, sagemaker: Any, tmp_path: Path
) -> None:
    create_endpoint(sagemaker, "e")
    _publishing(door, at_look=3)  # two questions a look: the second one
    out = tmp_path / "out"
    words = ["run", "--endpoint-name", "e", "--stairs", "1x1/24s", "--endpoint-url", door.url, "--region", "us-east-1"]
    done = CliRunner().invoke(main, [*words, "--output-dir", str(out), "--plain"])
    assert done.exit_code == 0, done.output
    assert "CloudWatch gets all of its metrics every 10 s" in done.stdout
    assert "cloudwatch: waiting for CloudWatch's last points, 180 s at most" in done.stderr
    told = json.loads((out / "summary.json").read_text())["cloudwatch"]
    (level,) = told["levels"]
    assert level["periods"] in (1, 2)
    assert (level["model_mean_ms"], level["overhead_mean_ms"], level["model_p95_high_ms"]) == (2, 1, 2)
    assert level["network_ms"] == pytest.approx(level["client_mean_ms"] - 3)
    assert told["shared"] is False
    assert json.loads((out / "cloudwatch.json").read_text())["missing"] == []
    assert "The endpoint's own figures" in done.stdout
    page = (out / "report.html").read_text()
    assert "The model's clock" in page


@pytest.mark.live
def test_cloudwatch_is_left_out_if_asked(door: Door, sagemaker: Any, tmp_path: Path) -> None:
    create_endpoint(sagemaker, "e")
    done = _run(door, "--output-dir", str(tmp_path / "out"), "--plain", "--no-cloudwatch", "--no-report")
    assert done.exit_code == 0, done.output
    assert not door.made("GetMetricData")
    assert not (tmp_path / "out" / "cloudwatch.json").exists()


def test_ctrl_c_ends_the_waiting_and_not_the_program(door: Door, clients: Clients) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("waiting"):
            os.kill(os.getpid(), signal.SIGINT)

    told = Telemetry(clients, Place("e", ("v0",)), say=say, wait_s=3600)
    existing = Existing({"name": "e"}, clients, say=say, _told=told)
    result = existing.completed(run_of(plan_of(steps=1), lambda s: 40.0))
    assert said[1] == "going on without what CloudWatch has not told yet"
    assert result.cloudwatch is not None
    assert len(result.cloudwatch["missing"]) == 4

"""Two servers of different speed and a dead one, each a process of its own: ranked right, with costs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(sys.argv[1]))
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *a): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def serve() -> Iterator[Callable[[float], str]]:
    with ExitStack() as stack:

        def begin(seconds: float) -> str:
            command = [sys.executable, "-c", SERVER, str(seconds)]
            server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(server.kill)
            assert server.stdout is not None
            return f"http://127.0.0.1:{int(server.stdout.readline())}/invocations"

        yield begin


def _request(*types: str) -> dict[str, object]:
    stairs = {"TrafficType": "STAIRS", "Stairs": {"DurationInSeconds": 8, "NumberOfSteps": 2, "UsersPerStep": 1}}
    return {
        "JobName": "ours",
        "JobType": "Advanced",
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "InputConfig": {
            "ModelName": "m",
            "ContainerConfig": {"Domain": "MACHINE_LEARNING", "Task": "OTHER", "Framework": "XGBOOST"},
            "JobDurationInSeconds": 600,
            "EndpointConfigurations": [{"InstanceType": each} for each in types],
            "TrafficPattern": stairs,
            "ResourceLimit": {"MaxNumberOfTests": 10, "MaxParallelOfTests": 3},
        },
        "StoppingConditions": {"FlatInvocations": "Continue"},
    }


def test_the_faster_for_the_same_price_is_the_cheaper_and_a_dead_one_fails_alone(
    serve: Callable[[float], str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/invocations"
    targets = {"ml.c5.large": serve(0.02), "ml.c5.xlarge": serve(0.2), "ml.m5.large": dead}
    fleet, job = tmp_path / "fleet.yaml", tmp_path / "job.json"
    fleet.write_text(
        json.dumps({"instances": {name: {"target": url, "usd_per_hour": 0.5} for name, url in targets.items()}})
    )
    job.write_text(json.dumps(_request(*targets, "ml.m5.xlarge")))
    command = [sys.executable, "-m", "loadtest", "recommend", str(job), "--fleet", str(fleet)]
    done = subprocess.run(
        [*command, "--output-dir", str(tmp_path / "out"), "--quiet", "--no-report"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    described = json.loads((tmp_path / "out" / "describe.json").read_text())
    found = described["InferenceRecommendations"]
    assert [each["EndpointConfiguration"]["InstanceType"] for each in found] == ["ml.c5.xlarge", "ml.c5.large"]
    slow, fast = (each["Metrics"] for each in found)
    assert slow["CostPerHour"] == fast["CostPerHour"] == 0.5
    assert slow["CostPerInference"] > fast["CostPerInference"] > 0
    assert slow["ModelLatency"] > fast["ModelLatency"]
    steps = json.loads((tmp_path / "out" / "steps.json").read_text())
    assert [step["Status"] for step in steps] == ["COMPLETED", "COMPLETED", "FAILED", "FAILED"]
    why = [step["InferenceBenchmark"].get("FailureReason", "") for step in steps]
    assert "refused" in why[2]
    assert "names no target for ml.m5.xlarge" in why[3]
    assert "FAILED" in done.stdout


def test_what_costs_nothing_that_is_known_there_has_no_price(serve: Callable[[float], str], tmp_path: Path) -> None:
    fleet, job = tmp_path / "fleet.yaml", tmp_path / "job.json"
    fleet.write_text(json.dumps({"instances": {"ml.c5.large": {"target": serve(0.02)}}}))
    request = _request("ml.c5.large")
    request["InputConfig"]["TrafficPattern"]["Stairs"] = {"DurationInSeconds": 2, "NumberOfSteps": 1, "UsersPerStep": 1}  # type: ignore[index]
    job.write_text(json.dumps(request))
    costs = {}
    for region in ("us-east-1", "eu-west-1"):
        command = [sys.executable, "-m", "loadtest", "recommend", str(job), "--fleet", str(fleet), "--region", region]
        done = subprocess.run(
            [*command, "--output-dir", str(tmp_path / region), "--no-report"],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Endpoint deleted" not in done.stdout, "it is the caller's own"
        (found,) = json.loads((tmp_path / region / "describe.json").read_text())["InferenceRecommendations"]
        costs[region] = found["Metrics"].get("CostPerHour")
    assert costs == {"us-east-1": pytest.approx(0.102), "eu-west-1": None}

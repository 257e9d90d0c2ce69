"""Somebody's own locustfile with our user and shape, under the real `locust`: headless, and with its web page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest

from loadtest.endpoint.latency import MockSettings
from loadtest.mock.process import MockProcess

pytestmark = pytest.mark.live

LOCUSTFILE = """
from locust import task
from loadtest.locustfile import JobShape, SageMakerUser

class Caller(SageMakerUser):
    @task
    def call(self):
        outcome = self.invoke()
        assert outcome.kind is not None

"""
JOB = {
    "JobName": "shape",
    "JobType": "Advanced",
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "InputConfig": {
        "Endpoints": [{"EndpointName": "e"}],
        "TrafficPattern": {
            "TrafficType": "STAIRS",
            "Stairs": {"DurationInSeconds": 4, "NumberOfSteps": 2, "UsersPerStep": 2},
        },
    },
}
_open = build_opener(ProxyHandler({})).open


@pytest.fixture(scope="module")
def mock() -> Iterator[MockProcess]:
    with MockProcess(MockSettings(service_ms=10)) as running:
        yield running


def _command(folder: Path, text: str, *arguments: str) -> list[str]:
    (folder / "locustfile.py").write_text(text)
    (folder / "job.json").write_text(json.dumps(JOB))
    return [sys.executable, "-m", "locust", "-f", "locustfile.py", "--stop-timeout", "20", *arguments]


def _headless(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = _command(folder, text, "--headless", "--json", *arguments)
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}
    env = {**os.environ, **keys}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90, env=env)


def _stats(done: subprocess.CompletedProcess[str]) -> dict:
    (entry,) = json.loads(done.stdout)
    return entry


def test_a_job_s_users_in_the_user_s_own_locust(mock: MockProcess, tmp_path: Path) -> None:
    host = f"{mock.url}/invocations"
    done = _headless(tmp_path, LOCUSTFILE + 'Shape = JobShape("job.json")', "--host", host)
    assert done.returncode == 0, done.stderr
    stats = _stats(done)
    assert (stats["method"], stats["name"], stats["num_failures"]) == ("INVOKE", host, 0)
    assert stats["num_requests"] > 20
    assert stats["min_response_time"] > 9
    updates = [line.partition("updating to ")[2] for line in done.stderr.splitlines() if "updating to" in line]
    assert updates == ["2 users at 2.00 spawn rate", "4 users at 2.00 spawn rate"]


def test_a_signed_user_of_an_endpoint(mock: MockProcess, tmp_path: Path) -> None:
    text = LOCUSTFILE.replace(
        "    @task",
        f'    target = "sagemaker:mine"\n    target_options = {{"endpoint_url": {mock.url!r}}}\n\n    @task',
    )
    done = _headless(tmp_path, text, "-u", "2", "-r", "2", "-t", "4s")
    stats = _stats(done)
    assert (stats["name"], stats["num_failures"]) == ("sagemaker:mine", 0)
    assert stats["num_requests"] > 5


def test_failures_are_failures_there_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = _headless(tmp_path, LOCUSTFILE, "-u", "1", "-r", "1", "-t", "2s", "--host", f"http://127.0.0.1:{port}/?k=x")
    stats = _stats(done)
    assert done.returncode == 1
    assert stats["num_failures"] == stats["num_requests"] > 0
    assert stats["num_requests"] < 60, "a dead endpoint makes no busy loop"
    assert "connection: " in done.stderr
    assert "k=x" not in done.stderr.replace("--host", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LOCUSTFILE, "set `target`, or give --host"),
        (LOCUSTFILE.replace("    @task", '    target = "mokc:"\n\n    @task'), "mock:"),
        (LOCUSTFILE.replace("    @task", '    target = "null:"\n    payload = "no-such-file"\n\n    @task'), "payload"),
    ],
)
def test_what_is_wrong_ends_the_test(text: str, words: str, tmp_path: Path) -> None:
    done = _headless(tmp_path, text, "-u", "3", "-r", "3", "-t", "30s")
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shape_has_the_curve_s_users_at_the_curve_s_times() -> None:
    # In a process of its own, since locust patches the one that imports it; with a clock that the test holds.
    code = """
import gevent
import loadtest.locustfile as ours
now = [0.0]
slept = []
ours.gevent = type("Gevent", (), {"sleep": staticmethod(lambda s: (slept.append(s), now.__setitem__(0, now[0] + s)))})
phases = [{"InitialNumberOfUsers": 1, "SpawnRate": 3, "DurationInSeconds": 60},
          {"InitialNumberOfUsers": 2, "SpawnRate": 0, "DurationInSeconds": 10}]
job = JOB
job["InputConfig"]["TrafficPattern"] = {"TrafficType": "PHASES", "Phases": phases}
shape = ours.JobShape(job)()
shape.get_run_time = lambda: now[0]
seen = []
while (tick := shape.tick()) is not None:
    if not seen or seen[-1][1:] != tick:
        seen.append((now[0], *tick))
    now[0] += 0.9997
print(seen, now[0])
shape.reset_time()
now[0] = 0.0
print(shape.tick())
for bad in ({**job, "JobType": "Default", "InputConfig": {"ModelName": "m"}}, {}):
    try:
        ours.JobShape(bad)
    except ours.SpecError as problem:
        print("refused", repr(str(problem))[:30])
"""
    code = code.replace("JOB", repr(JOB))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "[(0.0, 1, 1.0), (20.0, 2, 1.0), (40.0, 3, 1.0), (60.0, 2, 1.0)] 70.0"
    assert lines[1] == "(1, 1.0)"
    assert [line.split()[0] for line in lines[2:]] == ["refused", "refused"]


def test_the_web_page_starts_and_shows_it(mock: MockProcess, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    page = f"http://127.0.0.1:{port}"
    host = f"{mock.url}/invocations"
    text = LOCUSTFILE + 'Shape = JobShape("job.json")'
    command = _command(tmp_path, text, "--web-host", "127.0.0.1", "--web-port", str(port), "--host", host)
    with (tmp_path / "log").open("w") as log:
        locust = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        assert "<html" in _until(f"{page}/", lambda text: "<html" in text, locust)
        started = json.load(_open(f"{page}/swarm", urlencode({"host": host}).encode(), timeout=20))
        assert started["success"] is True
        for _ in range(2):  # it can be started again, on new connections
            _until(f"{page}/stats/requests", lambda text: json.loads(text)["stats"][0]["num_requests"] > 20, locust)
            stats = json.loads(_until(f"{page}/stats/requests", lambda text: '"stopped"' in text, locust))
            assert stats["stats"][0]["method"] == "INVOKE"
            assert stats["total_fail_per_sec"] == 0
            _open(f"{page}/swarm", urlencode({"host": host}).encode(), timeout=20).close()
    finally:
        locust.send_signal(signal.SIGTERM)
        locust.wait(60)
    assert "Traceback" not in (tmp_path / "log").read_text()


def _until(url: str, done, locust: subprocess.Popen[bytes]) -> str:
    """What `url` answers, when it is as wanted."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        assert locust.poll() is None, "locust ended"
        try:
            with _open(url, timeout=20) as answer:
                text = answer.read().decode()
            if done(text):
                return text
        except URLError:
            pass  # not listening yet
        time.sleep(0.1)
    raise AssertionError(f"{url} did not come to it: {text[:2000]}")

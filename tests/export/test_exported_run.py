"""Real runs with exports: what is received adds up to summary.json, and no exporter can disturb a run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_classic

pytestmark = pytest.mark.live

LIMIT_S = 120
DURATION = "loadtest_request_duration_seconds"


def run(job: Path, out: Path, *flags: str, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """code: Python that is run before the command line."""
    start = f"{code}\nfrom loadtest.cli import main\nmain(prog_name='loadtest')"
    command = [sys.executable, "-c", start, "run", str(job), "--output-dir", str(out), *flags]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def samples_of(text: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for family in read_classic(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def test_sums_are_the_summarys(job: Path, tmp_path: Path, receiver) -> None:
    prom = tmp_path / "loadtest.prom"
    done = run(
        job,
        tmp_path / "out",
        *("--otlp", "--prometheus-textfile", str(prom), "--prometheus", "0", "--json"),
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL=receiver.protocol,
        OTEL_METRIC_EXPORT_INTERVAL="500",
    )
    assert done.returncode == 0, done.stderr
    totals = json.loads((tmp_path / "out" / "summary.json").read_text())["totals"]
    assert totals["errors"], "there is something to add up"
    samples = samples_of(prom.read_text())
    assert samples[f"{DURATION}_count"][0].value == totals["ok"]
    assert samples[f"{DURATION}_sum"][0].value == pytest.approx(totals["ok"] * totals["mean_ms"] / 1000)
    assert samples[f"{DURATION}_count"][0].labels == {"testid": "out", "endpoint": "mock", "variant": ""}
    by_kind = {s.labels["error_type"]: s.value for s in samples["loadtest_requests_total"] if s.value}
    assert by_kind == {"": totals["ok"], **totals["error_kinds"]}
    # The same by OTLP, whose last export has the whole run.
    assert len(receiver.requests) >= 2
    (scope,) = receiver.requests[-1].resource_metrics[0].scope_metrics
    metrics = {metric.name: metric for metric in scope.metrics}
    (point,) = metrics["loadtest.request.duration"].exponential_histogram.data_points
    assert (point.count, point.sum) == (totals["ok"], pytest.approx(totals["ok"] * totals["mean_ms"] / 1000))
    http = metrics["http.client.request.duration"].histogram.data_points
    assert sum(point.count for point in http) == totals["ok"] + totals["errors"]
    assert {each.value.string_value for each in http[0].attributes if each.key == "server.address"} == {"127.0.0.1"}


def test_a_scrape_while_it_runs_that_never_lets_go(job: Path, tmp_path: Path) -> None:
    request = json.loads(job.read_text())
    request["InputConfig"]["TrafficPattern"]["Stairs"]["DurationInSeconds"] = 60
    job.write_text(json.dumps(request))
    command = [sys.executable, "-m", "loadtest", "run", str(job), "--output-dir", str(tmp_path / "out")]
    with subprocess.Popen(
        [*command, "--prometheus", "0", "--testid", "mine"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("metrics: http://127.0.0.1:"))
        url = line.split()[1]
        # Whoever does not read must not stop it either.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        end_s = time.monotonic() + LIMIT_S
        while True:
            with urllib.request.urlopen(url, timeout=30) as answer:
                samples = samples_of(answer.read().decode())
            if samples.get(f"{DURATION}_count") and samples[f"{DURATION}_count"][0].value > 10:
                break
            assert time.monotonic() < end_s
            time.sleep(0.1)
        assert samples["loadtest_users"][0].value >= 1
        assert samples["loadtest_users"][0].labels["testid"] == "mine"
        port = int(url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as held:
            held.sendall(b"GET /metrics HTTP/1.1\r\n")
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == 130


def test_nobody_receives_and_the_run_is_as_it_would_be(job: Path, tmp_path: Path) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@127.0.0.1:9", "OTEL_METRIC_EXPORT_INTERVAL": "300"}
    done = run(job, tmp_path / "out", "--otlp", **variables)
    assert done.returncode == 0
    (said,) = done.stderr.splitlines()
    assert said.startswith("metrics by OTLP: ")
    assert "exports were lost: " in said
    assert "secret" not in done.stderr
    assert (tmp_path / "out" / "summary.json").exists()


def test_a_textfile_whose_folder_goes_is_told_at_the_end(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    code = f"""
import shutil
from loadtest.engine.parent import spawn
start = spawn.start
def gone(*given, **named):
    shutil.rmtree({str(folder)!r})
    return start(*given, **named)
spawn.start = gone"""
    done = run(job, tmp_path / "out", "--prometheus-textfile", str(folder / "x.prom"), code=code)
    assert done.returncode == 0
    (said,) = done.stderr.splitlines()
    words = rf"metrics in {folder / 'x.prom'}: (\d+) of (\d+) exports were lost: No such file or directory"
    found = re.fullmatch(words, said)
    assert found
    assert found[1] == found[2]


@pytest.mark.parametrize(
    ("flags", "package", "advice"),
    [
        (["--prometheus", "0"], "prometheus_client", "pip install 'loadtest[prometheus]'"),
        (["--prometheus-textfile", "x.prom"], "prometheus_client", "pip install 'loadtest[prometheus]'"),
        (["--otlp"], "opentelemetry", "pip install 'loadtest[otel]'"),
        (["--otlp"], "opentelemetry.exporter", "pip install 'loadtest[otel]'"),
    ],
)
def test_a_missing_extra_is_one_sentence_before_any_traffic(
    job: Path, tmp_path: Path, flags: list[str], package: str, advice: str
) -> None:
    done = run(job, tmp_path / "out", *flags, code=f"import sys; sys.modules[{package!r}] = None")
    assert done.returncode == 2
    said, where = done.stderr.splitlines()
    assert said.startswith(f"{flags[0]}: needs the package {package}")
    assert said.endswith(advice)
    assert where.startswith("SpecError: see docs/")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_cannot_be_exported_is_told_before_any_traffic(job: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for flags, told in [
            (
                ["--prometheus", str(port)],
                f"--prometheus: cannot be listened on: Address already in use (got 127.0.0.1:{port})",
            ),
            (["--prometheus", "here"], "--prometheus: must be [HOST:]PORT (got 'here')"),
            (["--prometheus", "h:70000"], "--prometheus: must be [HOST:]PORT (got 'h:70000')"),
            (
                ["--prometheus-textfile", str(tmp_path / "no" / "x")],
                "--prometheus-textfile: cannot be written: No such file",
            ),
            (["--testid", "x"], "--testid: no metrics are exported (got x)"),
        ]:
            done = run(job, tmp_path / "out", *flags)
            assert done.returncode == 2
            assert told in done.stderr
            assert len(done.stderr.splitlines()) == 2  # and where it is explained
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_replay_has_a_name_of_its_own_and_leaves_the_runs_figures(job: Path, tmp_path: Path) -> None:
    prom = tmp_path / "loadtest.prom"
    target = ["--target", "mock:servers=4,service_ms=10"]
    flags = [*target, "--confirm", "--confirm-for", "1s", "--prometheus-textfile", str(prom)]
    done = run(job, tmp_path / "out", *flags)
    assert done.returncode == 0, done.stderr
    counts = {s.labels["testid"]: s.value for s in samples_of(prom.read_text())[f"{DURATION}_count"]}
    folders = {"out": tmp_path / "out", "out/confirm": tmp_path / "out" / "confirm"}
    assert counts == {
        name: json.loads((folder / "summary.json").read_text())["totals"]["ok"] for name, folder in folders.items()
    }


def test_the_sdk_can_be_switched_off(job: Path, tmp_path: Path) -> None:
    done = run(
        job, tmp_path / "out", "--otlp", OTEL_SDK_DISABLED="true", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"
    )
    assert (done.returncode, done.stderr) == (0, "")

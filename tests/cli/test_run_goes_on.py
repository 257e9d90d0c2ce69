"""A run ends by itself and keeps what it measured, whatever becomes of its terminal, its signals and its disk."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from siblings import siblings

from loadtest.core.judge.decision import Reason
from loadtest.report.recovery import read_run

pytestmark = pytest.mark.live

FILES = {"summary.json", "describe.json", "levels.csv", "latency.hgrm", "job.json", "config.json", "run.log"}
FILES |= {"windows.jsonl", "junit.xml", "latency.hlog", "schedule.csv", "report.html"}
LIMIT_S = 120


@pytest.fixture
def job(tmp_path: Path) -> Callable[[int], Path]:
    """A job file of one user for so many seconds on a mock endpoint."""

    def write(seconds: int) -> Path:
        request = json.loads(Path("scenarios/short.json").read_text())
        request["InputConfig"]["TrafficPattern"] = {
            "TrafficType": "PHASES",
            "Phases": [{"InitialNumberOfUsers": 1, "SpawnRate": 0, "DurationInSeconds": seconds}],
        }
        request["StoppingConditions"] = {"FlatInvocations": "Continue"}
        path = tmp_path / "job.json"
        path.write_text(json.dumps(request))
        return path

    return write


def start(job: Path, out: Path, **how: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "loadtest", "run", str(job), "--target", "mock:servers=2,service_ms=20"]
    return subprocess.Popen([*command, "--output-dir", str(out)], **how)  # type: ignore[call-overload]


def until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def measured(out: Path) -> int:
    """Windows on the disk so far."""
    found = [*out.parent.glob(f"{out.name}*/windows.jsonl")]
    return len(found[0].read_text().splitlines()) if found else 0


def whole(out: Path) -> bool:
    return {path.name for path in out.iterdir()} == FILES and read_run(out).reason is Reason.CURVE_END


@pytest.mark.slow
def test_a_reader_that_leaves_ends_nothing(tmp_path: Path, job: Callable[[int], Path]) -> None:
    """`loadtest run J | head -1` hung for ever."""
    with start(job(7), tmp_path / "out", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline()
        run.stdout.close()
        assert run.stderr is not None
        assert b"Traceback" not in run.stderr.read()
        assert run.wait(LIMIT_S) == 0
    assert whole(tmp_path / "out")


def test_a_full_device_for_output_costs_the_output_alone(tmp_path: Path, job: Callable[[int], Path]) -> None:
    with open("/dev/full", "wb") as full:
        run = start(job(2), tmp_path / "out", stdout=full, stderr=subprocess.PIPE)
        _, said = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 5
    assert said.decode().splitlines()[-1] == "what was to be printed could not be written: No space left on device"
    assert b"Traceback" not in said
    assert whole(tmp_path / "out")


@pytest.mark.parametrize("verb", [["preview", "--json"], ["validate", "--profile", "relaxed"]])
def test_other_verbs_say_that_nothing_was_written(verb: list[str], job: Callable[[int], Path]) -> None:
    name, *options = verb
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "loadtest", name, str(job(2)), *options]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=LIMIT_S, check=False)
    assert done.returncode == 5
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_is_gone_ends_the_run_in_order(tmp_path: Path, job: Callable[[int], Path]) -> None:
    """SIGHUP, and EIO for whatever is still written to it."""
    ours, theirs = pty.openpty()
    run = start(job(60), tmp_path / "out", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    until(lambda: measured(tmp_path / "out") >= 2)
    os.close(ours)
    run.send_signal(signal.SIGHUP)  # what the kernel sends to the session that has the terminal
    assert run.wait(LIMIT_S) == 130
    assert read_run(tmp_path / "out").reason is Reason.USER
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


@pytest.mark.parametrize("number", siblings([signal.SIGHUP, signal.SIGINT, signal.SIGTERM]))
def test_an_ignored_signal_stays_ignored(number: signal.Signals, tmp_path: Path, job: Callable[[int], Path]) -> None:
    """nohup, and background jobs of a script."""
    run = start(
        job(3), tmp_path / "out", stdout=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)
    )
    until(lambda: measured(tmp_path / "out") >= 1)
    run.send_signal(number)
    assert run.wait(LIMIT_S) == 0
    assert whole(tmp_path / "out")


@pytest.mark.slow
def test_a_file_size_limit_leaves_the_summary_and_says_what_is_missing(
    tmp_path: Path, job: Callable[[int], Path]
) -> None:
    run = start(
        job(3),
        tmp_path / "out",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500)),
    )
    out, said = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 5
    assert b"Best rate" in out
    assert b"Traceback" not in out + said
    (line,) = [line for line in said.decode().splitlines() if line.startswith("not everything could be written")]
    assert "windows.jsonl: File too large" in line
    assert "job.json" not in line, "what there was room for is there"
    assert (tmp_path / "out" / "job.json").exists()


@pytest.mark.parametrize("replaced", siblings([True, False]))
def test_a_folder_that_somebody_removed_is_written_anew(
    replaced: bool, tmp_path: Path, job: Callable[[int], Path]
) -> None:
    out = tmp_path / "results" / "out"
    run = start(job(4), out, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: measured(out) >= 1)
    folder = next(out.parent.glob("out*"))
    subprocess.run(["rm", "-r", str(folder)], check=True)
    if replaced:
        folder.write_text("a file in its place")
    printed, said = run.communicate(timeout=LIMIT_S)
    assert b"Best rate" in printed
    assert b"Traceback" not in printed + said
    if replaced:
        assert run.returncode == 5
        assert b"not everything could be written" in said
    else:
        assert run.returncode == 0
        assert whole(out)


def test_a_folder_of_a_killed_run_is_completed(tmp_path: Path, job: Callable[[int], Path]) -> None:
    out = tmp_path / "out"
    run = start(job(60), out, stdout=subprocess.DEVNULL)
    until(lambda: measured(out) >= 3)
    partial = next(tmp_path.glob("out.partial"))
    report = [sys.executable, "-m", "loadtest", "report", str(partial)]
    busy = subprocess.run(report, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (busy.returncode, busy.stdout) == (2, "")
    assert "is still being written by a run" in busy.stderr
    run.kill()
    run.wait()
    done = subprocess.run(report, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "ENGINE_LOST" in done.stdout
    assert not partial.exists()
    assert {path.name for path in out.iterdir()} == FILES
    again = subprocess.run([*report[:-1], str(out)], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    as_json = subprocess.run(
        [*report[:-1], str(out), str(out), "--json"], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert [json.loads(line)["reason"] for line in as_json.stdout.splitlines()] == ["ENGINE_LOST"] * 2

"""Children run this package and the standard library, whatever lies in the working folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.python import child_environment, python_command, without_secrets

LOADTEST = Path(sys.executable).with_name("loadtest")
TRAPS = ("locust", "loadtest", "random", "json", "numpy", "gevent", "typing", "select", "code", "httptools")
# What libraries would like to have and do without; most are not installed.
OPTIONAL = ("brotlicffi", "brotli", "zstandard", "simplejson", "ujson", "bson", "awscrt", "dotenv", "sitecustomize")


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder whose files are called like modules that everybody imports, and a plug-in."""
    for name in (*TRAPS, *OPTIONAL):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the working folder\\'s {name}.py was imported')\n")
    (tmp_path / "mytarget.py").write_text(
        "from loadtest.core.measure.outcome import Kind, Outcome\n"
        "import time\n"
        "class Mine:\n"
        "    def invoke(self, payload):\n"
        "        import mytarget_helper\n"
        "        time.sleep(0.01)\n"
        "        now = time.monotonic_ns()\n"
        "        return Outcome(Kind.OK, 200, 0, now - 10_000_000, now, now)\n"
        "    def close(self):\n"
        "        pass\n"
    )
    (tmp_path / "mytarget_helper.py").write_text("")
    return tmp_path


def request(seconds: int) -> dict[str, object]:
    job = json.loads(Path("scenarios/short.json").read_text())
    job["InputConfig"]["TrafficPattern"]["Stairs"]["DurationInSeconds"] = seconds
    return job


@pytest.mark.live
@pytest.mark.skipif(not LOADTEST.exists(), reason="needs the installed command")
@pytest.mark.parametrize(
    "options",
    [
        ["--target", "mock:servers=2,service_ms=20"],
        ["--target", "null:", "--workers", "2"],
    ],
    ids=["mock", "workers"],
)
def test_a_run_from_a_folder_full_of_traps(options: list[str], trapped: Path) -> None:
    run_in(trapped, options)


@pytest.mark.live
@pytest.mark.skipif(not LOADTEST.exists(), reason="needs the installed command")
def test_a_plug_in_and_its_modules_are_found_among_the_traps(trapped: Path) -> None:
    run_in(trapped, ["--target", "mytarget:Mine"])


def run_in(trapped: Path, options: list[str]) -> None:
    (trapped / "job.yaml").write_text(json.dumps(request(3)))
    command = [str(LOADTEST), "run", "job.yaml", *options, "--output-dir", "out"]
    done = subprocess.run(command, cwd=trapped, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads((trapped / "out" / "summary.json").read_text())
    assert summary["totals"]["ok"] > 0


def test_a_child_knows_its_package_and_finds_what_its_parent_finds(
    trapped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trapped)
    monkeypatch.setattr(sys, "path", [*sys.path, str(trapped)])
    (trapped / "probe_me.py").write_text(
        "import loadtest, random, mytarget\nprint(loadtest.__file__, random.__file__, mytarget.__file__)\n"
    )
    command = python_command("probe_me")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    package, module, plugin = done.stdout.split()
    assert package == sys.modules["loadtest"].__file__
    assert Path(module).parent != trapped
    assert Path(plugin).parent == trapped


def test_a_process_that_signs_nothing_gets_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LOADTEST_TOKEN", "secret")
    assert "secret" in child_environment().values()
    environment = child_environment({"A": "b"}, secrets=False)
    assert "secret" not in environment.values()
    assert (environment["A"], environment["PATH"]) == ("b", os.environ["PATH"])


def test_keys_are_taken_out_of_what_a_process_is_started_with() -> None:
    given = {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "t",
        "AWS_BEARER_TOKEN_BEDROCK": "b",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "c",
        "LOADTEST_TOKEN": "l",
    }
    kept = {"AWS_PROFILE": "p", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/f", "AWS_WEB_IDENTITY_TOKEN_FILE": "/w"}
    assert without_secrets({**given, **kept}) == (kept, given)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_the_mock_endpoint_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from loadtest.mock.process import MockProcess

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    with MockProcess() as mock:
        assert b"very-secret" not in Path(f"/proc/{mock.pid}/environ").read_bytes()

"""The container's recipe, as far as it can be held without a container engine: linted, its steps taken one by one, and
what comes of them run as the recipe would run it: not root, without capabilities, on a read-only file system."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
UID = int(re.findall(r"^USER (\d+)$", DOCKERFILE, re.M)[-1])


def test_the_recipe_passes_its_linter() -> None:
    linter = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_does_not_run_as_root_and_hears_the_signal_that_ends_a_run() -> None:
    assert UID > 0
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE
    assert re.search(r'^ENTRYPOINT \["loadtest"\]$', DOCKERFILE, re.M), "no shell stands between it and the signal"


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_command_of_the_compose_file_is_one(name: str) -> None:
    service = COMPOSE["services"][name]
    verb, *words = service["command"].split()
    help_text = subprocess.run(
        [sys.executable, "-m", "loadtest", verb, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert [word for word in words if word.startswith("--") and word not in help_text] == []
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_the_health_check_asks_for_something_that_is_there() -> None:
    from loadtest.testing import recommender

    code = COMPOSE["services"]["emulator"]["healthcheck"]["test"][-1]
    with recommender() as server:
        there = code.replace("http://127.0.0.1:4599", server.url)
        assert there != code
        subprocess.run([sys.executable, "-c", there], check=True, timeout=60)


def _reachable(python: Path) -> bool:
    """Whether another user can start it: every folder on its way is open to all."""
    real = python.resolve()
    return real.exists() and all(folder.stat().st_mode & 0o001 for folder in [real, *real.parents])


@pytest.fixture(scope="module")
def container() -> Iterator[Path]:
    """A folder with the environment `image` that the recipe's steps make, and `runs`, as in the container."""
    pythons = [Path("/usr/bin/python3"), Path(sys.executable)]
    python = next((python for python in pythons if _reachable(python)), None)
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None or python is None:
        pytest.skip("needs root, to become somebody else on a file system that cannot be written")
    folder = Path(tempfile.mkdtemp())  # not tmp_path, which is closed to other users
    folder.chmod(0o755)
    try:
        allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        for name in allowed:  # the build sees what .dockerignore lets through
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, folder / "src" / name, ignore=lambda _, names: fnmatch.filter(names, "*.pyc")
                )
            else:
                (folder / "src").mkdir(exist_ok=True)
                shutil.copy(ROOT / name, folder / "src")
        subprocess.run([python, "-m", "venv", "--without-pip", folder / "image"], check=True, timeout=60)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "image/bin/python")]
        for step in (
            ["wheel", "--no-cache-dir", "--wheel-dir", str(folder / "dist"), str(folder / "src")],
            ["install", "--no-cache-dir", "--no-index", "--find-links", str(folder / "dist"), "--compile", "loadtest"],
        ):
            assert f"pip {' '.join(step[:2])}" in DOCKERFILE
            subprocess.run([*pip, *step], check=True, timeout=600, capture_output=True)
        for name in ("runs", "tmp"):
            (folder / name).mkdir()
            os.chown(folder / name, UID, UID)
        yield folder
    finally:
        shutil.rmtree(folder)


def _start(container: Path, *arguments: str) -> subprocess.Popen[str]:
    """`loadtest` as in the container. 90: the file system could be written all the same."""
    script = f"""
        mount --bind runs runs; mount --bind tmp tmp
        mount -o remount,bind,ro "$(findmnt -n -o TARGET --target "$PWD")"
        touch "$PWD/written" 2>/dev/null && exit 90
        exec setpriv --reuid={UID} --regid={UID} --clear-groups --bounding-set=-all --no-new-privs \\
            env -i PATH=/usr/bin:/bin HOME=/nonexistent TMPDIR="$PWD/tmp" PYTHONDONTWRITEBYTECODE=1 \\
            "$PWD/image/bin/loadtest" "$@"
    """
    command = ["unshare", "--mount", "sh", "-euc", script, "sh", *arguments]
    return subprocess.Popen(command, cwd=container, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_run_without_rights_on_a_read_only_file_system(container: Path) -> None:
    job = ("--target", "mock:servers=2,service_ms=10", "--stairs", "1x2/2s", "--p95", "500ms")
    out, err = (running := _start(container, "run", *job, "--json")).communicate(timeout=120)
    assert running.returncode == 0, err
    assert json.loads(out)["totals"]["ok"] > 0
    (folder,) = (container / "runs").iterdir()
    assert (folder / "summary.json").stat().st_uid == UID


@pytest.mark.slow
def test_sigterm_ends_it_in_order(container: Path) -> None:
    job = ("--target", "mock:servers=2,service_ms=10", "--stairs", "1x1/10m", "--output-dir", "runs/ended", "--json")
    running = _start(container, "run", *job)
    windows = container / "runs/ended/windows.jsonl"
    deadline_s = time.monotonic() + 60
    while not (windows.exists() and windows.stat().st_size) and time.monotonic() < deadline_s:
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert json.loads(out)["reason"] == "USER"
    assert (container / "runs/ended/summary.json").exists()

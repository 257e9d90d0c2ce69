"""What is installed without the extras: everything but the emulator works, and that says what it needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from places import ROOT

BLOCKED = ("moto", "regex", "waitress")
BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Environment of a Python, and of those that it starts, in which the packages of the extra cannot be imported."""
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def _python(bare: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=bare, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_blocker_blocks(bare: dict[str, str]) -> None:
    for name in BLOCKED:
        assert "ModuleNotFoundError" in _python(bare, "-c", f"import {name}").stderr


@pytest.mark.parametrize("name", ["loadtest", "loadtest.api", "loadtest.cli", "loadtest.testing"])
def test_it_is_imported(bare: dict[str, str], name: str) -> None:
    done = _python(bare, "-c", f"import {name}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.live
def test_a_run_goes_through(bare: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = _python(bare, "-m", "loadtest", "run", "scenarios/short.json", "--output-dir", str(out), "--quiet")
    assert done.returncode == 0, done.stderr
    assert (out / "summary.json").exists()


def test_the_mock_serves(bare: dict[str, str]) -> None:
    command = [sys.executable, "-m", "loadtest", "mock", "--port", "0"]
    with subprocess.Popen(command, env=bare, cwd=ROOT, stdout=subprocess.PIPE, text=True) as mock:
        assert mock.stdout is not None
        try:
            with urllib.request.urlopen(f"{mock.stdout.readline().strip()}/ping", timeout=30) as answer:
                assert answer.status == 200
        finally:
            mock.send_signal(signal.SIGTERM)


def test_the_emulator_says_what_it_needs(bare: dict[str, str]) -> None:
    done = _python(bare, "-m", "loadtest", "serve", "--port", "0")
    assert done.returncode == 2
    assert "needs the package waitress, which is not installed; pip install 'loadtest[emulator]'" in done.stderr
    assert "Traceback" not in done.stderr

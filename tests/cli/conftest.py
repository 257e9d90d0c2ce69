"""The command line in this process and in a real one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import JOBS

from loadtest.cli import main


@pytest.fixture
def invoke():
    """Runs `loadtest` with arguments in this process; the result has exit_code, stdout and stderr."""

    def run(*args: str):
        result = CliRunner().invoke(main, [str(arg) for arg in args], prog_name="loadtest")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def execute():
    """Runs `python -m loadtest` with arguments in a process of its own."""

    def run(*args: str):
        command = [sys.executable, "-m", "loadtest", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def jobs() -> Path:
    """The folder of real job requests."""
    return JOBS


@pytest.fixture
def edit_job(jobs, tmp_path):
    """Writes a copy of a real request, changed by a function, and gives its path."""

    def edit(name: str, change):
        (path,) = jobs.glob(f"{name}*.json")
        request = json.loads(path.read_text())
        change(request)
        copy = tmp_path / "job.json"
        copy.write_text(json.dumps(request))
        return copy

    return edit

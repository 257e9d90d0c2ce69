"""The claims about false stops, delays, knees and constant phases, in full: minutes of simulated runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from places import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("part", ["latency", "knee", "flat", "whole"])
def test_the_benchmark_keeps_its_claims(part) -> None:
    command = [sys.executable, "-m", "benchmarks.stop_quality", "--only", part, "--seed", "7", "--ours"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    claims = [line for line in lines if "claim" in line]
    assert claims, done.stderr
    assert [line for line in claims if not line["kept"]] == []
    assert done.returncode == 0

"""A flag and the same option in a job file take the same values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.jobfile.runoptions import OPTION_BOUNDS

FLAGS = {name: f"--{name.removesuffix('_s').replace('_', '-')}" for name in OPTION_BOUNDS}
VALUES = {
    name: [*bound.choices, "none-of-these"]
    if bound.choices
    else [bound.low, bound.high, bound.low - 0.01 if bound.kind == "number" else bound.low - 1, bound.high * 2 + 1]
    for name, bound in OPTION_BOUNDS.items()
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in VALUES.items() for value in values], ids=str
)
def test_the_same_values(name: str, value: Any, tmp_path: Path, invoke: Any) -> None:
    scenario = json.loads(Path("scenarios/short.json").read_text())
    scenario["Loadtest"] = {"options": {name: value}, "target": "mock:servers=0"}  # which ends both before a run
    (tmp_path / "file.json").write_text(json.dumps(scenario))
    by_file = invoke("run", tmp_path / "file.json")
    scenario["Loadtest"] = {"target": "mock:servers=0"}
    (tmp_path / "flag.json").write_text(json.dumps(scenario))
    by_flag = invoke("run", tmp_path / "flag.json", FLAGS[name], str(value))
    assert by_file.exit_code == by_flag.exit_code == 2
    refused = [name in by_file.stderr or f"options.{name}" in by_file.stderr, FLAGS[name] in by_flag.stderr]
    assert refused[0] == refused[1], (by_file.stderr, by_flag.stderr)

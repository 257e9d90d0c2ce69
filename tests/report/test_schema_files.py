"""The JSON Schemas in docs/schema/ say what is in a run folder: of every stored kind, of a simulated and of a real run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import loadtest
from loadtest.report.whole import whole_folder

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "tests" / "data" / "runs"
KINDS = ("closed", "open", "streamed", "workers", "confirmed", "confirmed/confirm")
SCHEMAS = {
    name: json.loads((ROOT / "docs" / "schema" / f"{name}.v1.json").read_text())
    for name in ("summary", "windows", "config")
}


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ("summary", "config"):
        yield name, json.loads((folder / f"{name}.json").read_text())
    for line in (folder / "windows.jsonl").read_text().splitlines():
        yield "windows", json.loads(line)


def faults(folder: Path) -> list[str]:
    found = []
    for name, document in documents(folder):
        validator = Draft202012Validator(SCHEMAS[name])
        found += [f"{name} {error.json_path}: {error.message}" for error in validator.iter_errors(document)]
        found += [
            f"{name}: {member} is not described" for member in document if member not in SCHEMAS[name]["properties"]
        ]
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_says_its_version(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"].endswith(f"{name}.v1")


@pytest.mark.parametrize("kind", KINDS)
def test_stored_folders(kind: str) -> None:
    assert faults(RUNS / kind) == []


@pytest.mark.parametrize("scenario", ["phases", "stop-latency", "stop-flat", "stop-errors", "stop-max-invocations"])
def test_folders_of_virtual_runs(scenario: str, tmp_path: Path) -> None:
    result = loadtest.simulate(ROOT / "scenarios" / f"{scenario}.json")
    folder = whole_folder(tmp_path, result, created_at=1_760_000_000.0).path
    assert faults(folder) == []
    assert {name for name, _ in documents(folder)} == set(SCHEMAS), "none was left out"


@pytest.mark.parametrize(
    ("name", "member", "value"),
    [
        ("summary", "reason", "BORED"),
        ("summary", "schema_version", 2),
        ("summary", "trust", None),
        ("config", "plan_digest", "short"),
        ("windows", "ok", -1),
        ("windows", "level", "first"),
    ],
)
def test_a_schema_refuses(name: str, member: str, value: object) -> None:
    document = {**next(found for kind, found in documents(RUNS / "closed") if kind == name), member: value}
    assert not Draft202012Validator(SCHEMAS[name]).is_valid(document)


@pytest.mark.parametrize("kind", KINDS)
def test_load_reads_a_folder(kind: str) -> None:
    summary = json.loads((RUNS / kind / "summary.json").read_text())
    result = loadtest.load(RUNS / kind)
    assert isinstance(result, loadtest.RunResult)
    assert (result.reason.value, result.totals.ok) == (summary["reason"], summary["totals"]["ok"])


def test_load_of_what_it_wrote_is_the_same(tmp_path: Path) -> None:
    result = loadtest.simulate(ROOT / "scenarios" / "stop-flat.json")
    again = loadtest.load(whole_folder(tmp_path, result, created_at=1_760_000_000.0).path)
    assert json.dumps(again.to_dict()) == json.dumps(result.to_dict())


def test_load_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(loadtest.SpecError, match="is not a run folder"):
        loadtest.load(tmp_path)

"""A fleet file over the built-in one: what it may say, and everything that is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import SpecError
from loadtest.jobs.fleet_file import FleetFile
from loadtest.jobs.models import ModelFacts

UNKNOWN = ModelFacts()
XGBOOST = ModelFacts(framework="xgboost")


# Fleet files


def fleet_with(path: Path, values: Any) -> FleetFile:
    path.write_text(json.dumps(values))
    return FleetFile.load(path)


def test_a_fleet_file_is_laid_over_the_built_in_one(tmp_path: Path) -> None:
    file = fleet_with(
        tmp_path / "fleet.json",
        {"model": {"cpu_ms": 100}, "cpu_speed": {"c5": 2}, "search": {"level_s": 5}, "queue": 3},
    )
    built_in = FleetFile.load()
    assert file.work_of(XGBOOST) == file.work_of(UNKNOWN), "whoever describes their model wants it everywhere"
    assert file.work_of(UNKNOWN).cpu_ms == 100
    assert file.work_of(UNKNOWN).front_ms == built_in.model.front_ms
    assert (file.speed_of("c5"), file.speed_of("m5")) == (2, built_in.speed_of("m5"))
    assert (file.search.level_s, file.search.users) == (5, built_in.search.users)
    assert file.queue == 3


def test_yaml_and_a_list_of_models(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("models:\n- when: {framework: PYTORCH}\n  cpu_ms: 7\n")
    file = FleetFile.load(path)
    assert file.work_of(ModelFacts(framework="PYTORCH")).cpu_ms == 7
    assert file.work_of(XGBOOST).cpu_ms == FleetFile.load().model.cpu_ms


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "must be a mapping"),
        ({"modle": {}}, "did you mean model"),
        ({"model": {"cpu_msec": 1}}, "model.cpu_msec"),
        ({"model": {"cpu_ms": -1}}, "model.cpu_ms"),
        ({"model": {"cpu_ms": "fast"}}, "model.cpu_ms"),
        ({"model": {"parallel_share": 2}}, "must be in 0..1"),
        ({"model": 5}, "must be a mapping"),
        ({"models": [{"cpu_ms": 1}]}, "models[0].when"),
        ({"models": [{"when": {"color": "red"}}]}, "models[0].when.color"),
        ({"models": {}}, "must be a list"),
        ({"cpu_speed": {"c5": 0}}, "cpu_speed.c5"),
        ({"accelerators": {"X": {"speed": 0, "streams": 0}}}, "accelerators.X.streams"),
        ({"search": {"users": [4, 2]}}, "must rise"),
        ({"search": {"users": []}}, "search.users"),
        ({"search": {"level_s": 0}}, "search.level_s"),
        ({"instances": {"ml.c5.xlarge": {"url": "x"}}}, "instances.'ml.c5.xlarge'.url"),
        ({"endpoints": {"e": {"instance_count": 0}}}, "endpoints.e.instance_count"),
        ({"endpoints": {"e": {"target": 5}}}, "must be a text"),
        ({"endpoints": {"e": {"instance_type": 5}}}, "endpoints.e.instance_type: must be the name of an instance type"),
        ({"instances": {"ml.c5.huge": {}}}, "must be the name of an instance type, such as ml.c5.xlarge"),
        ({"candidates": [{"when": {}, "instances": ["c5"]}]}, "instances[0]: must be the name of an instance type"),
        ({"existing_endpoint_type": 5}, "existing_endpoint_type: must be the name of an instance type"),
        ({"existing_endpoint_type": "m5"}, "existing_endpoint_type: must be the name of an instance type"),
        ({"endpoints": {"e": {"target": "what is this"}}}, "endpoints.e.target"),
        ({"endpoints": {"e": {"target": "mock:servers=0"}}}, "servers"),
        ({"endpoints": {"e": {"target": "sagemaker:e", "options": []}}}, "endpoints.e.options"),
        ({"candidates": [{"when": {}, "instances": "ml.c5.xlarge"}]}, "candidates[0].instances"),
        ({"queue": -1}, "queue"),
        ({"queue": float("inf")}, "must be a whole number"),
        ({"model": {"cpu_ms": "Infinity"}}, "must be a number"),
    ],
)
def test_a_wrong_fleet_file_is_refused(tmp_path: Path, values: Any, told: str) -> None:
    with pytest.raises(SpecError) as refused:
        fleet_with(tmp_path / "fleet.json", values)
    assert told in str(refused.value)


@pytest.mark.parametrize("text", ["{", "a: [", None])
def test_an_unreadable_fleet_file_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "fleet.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecError, match=r"cannot be read|neither JSON nor YAML"):
        FleetFile.load(path)


# Opening endpoints


# Prices

"""Services that end with their test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jobkit import NOWHERE, HandEngine

from loadtest.jobs.service import JobService, open_service


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    """Every instance type and endpoint of the tests is a real target, so that no mock endpoint is started."""
    types = ["ml.c5.large", "ml.c5.xlarge", "ml.c5.2xlarge", "ml.m5.large", "ml.m5.xlarge"]
    endpoints = ["mine", "my-existing-endpoint"]
    path = tmp_path / "fleet.json"
    entries = {"instances": types, "endpoints": endpoints}
    path.write_text(
        json.dumps({kind: {name: {"target": NOWHERE} for name in names} for kind, names in entries.items()})
    )
    return path


@pytest.fixture
def engine() -> HandEngine:
    return HandEngine()


@pytest.fixture
def services(fleet_file: Path, engine: HandEngine) -> Iterator[Callable[..., JobService]]:
    """Opens services, on `engine` if nothing else is said; closes them."""
    opened: list[JobService] = []

    def make(**options: Any) -> JobService:
        service = open_service(**{"engine": engine, "fleet_file": fleet_file, **options})
        opened.append(service)
        return service

    yield make
    for service in opened:
        service.close()

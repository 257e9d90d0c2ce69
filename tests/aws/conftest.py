"""An account in moto behind an emulator, a door in front of it, and credentials that lead nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_front import Door
from emulator_client import connect

from loadtest.aws.clients import Clients
from loadtest.testing import recommender

SECRET = "sekrit-that-nobody-may-see"


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with recommender() as emulator, Door(emulator.url) as door:
        yield door


@pytest.fixture
def sagemaker(door: Door) -> Iterator[Any]:
    """A client of the account behind the door."""
    client = connect(door.behind)
    yield client
    client.close()


@pytest.fixture
def clients(door: Door) -> Clients:
    return Clients({"endpoint_url": door.url, "region": "us-east-1"})

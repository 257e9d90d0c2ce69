"""Prices: the built-in ones, and a file that replaces them."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.errors import SpecError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.prices import Prices

FLEET = Fleet.load(live=False)


# Fleet files


# Opening endpoints


# Prices


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "instance_type,usd_per_hour\nml.c5.xlarge,1.5\nml.c5.large,\nserverless_gb_second,0.1\n"),
        ("p.csv", "instance_type,usd_per_hour_us_east_1,vcpu\nml.c5.xlarge,1.5,4\nserverless_gb_second,0.1,\n"),
        ("p.json", '{"ml.c5.xlarge": 1.5, "serverless_gb_second": 0.1}'),
        ("p.yaml", "ml.c5.xlarge: 1.5\nserverless_gb_second: '0.1'\nml.c5.large:\n"),
    ],
)
def test_price_files_replace_every_built_in_price(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    prices = Prices.load(path)
    assert prices == Prices({"ml.c5.xlarge": 1.5}, 0.1, str(path))
    assert prices.per_hour("ml.m5.xlarge") is None


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.csv", "type,price\na,1\n", "has no such columns"),
        ("p.csv", "", "has no such columns"),
        ("p.csv", "instance_type,usd_per_hour\nml.c5.xlarge,free\nml.c5.large,-1\n", "ml.c5.large"),
        ("p.json", "[1]", "must be a mapping"),
        ("p.json", '{"a": true}', "positive number"),
        ("p.json", '{"a": .inf}', "positive number"),
        ("p.yaml", "ml.c5.large: free\nml.c5.xlarge: -1\n", r"ml.c5.large.*\n.*ml.c5.xlarge.*positive number"),
        ("p.yaml", "5: 1.5\n", "is no name of an instance type"),
        ("p.csv", "instance_type,usd_per_hour\n,1.5\n", "is no name of an instance type"),
        ("p.yaml", "{", "neither JSON nor YAML"),
        (".", None, "cannot be read"),
    ],
)
def test_wrong_price_files(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecError, match=told):
        Prices.load(path)


def test_built_in_prices() -> None:
    assert len(FLEET.prices.per_hour_usd) == 114
    assert FLEET.prices.per_hour("ml.c5.xlarge") == 0.204
    assert FLEET.prices.serverless_gb_second_usd == 0.00002

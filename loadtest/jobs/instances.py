"""What an instance type has: vCPUs, memory, accelerators, and its list price; read from `instances.csv`.

Prices are on-demand USD per hour in us-east-1; `price_source` says where each was read, `price_date` when:
A  a public file that states it was read from the AWS Price List offer file of AmazonSageMaker (2026-09-27);
B  the pricing table of the foundation-model-benchmarking-tool samples (2025-04);
C  CostPerHour as real Inference Recommender jobs printed it (2022);
D  the cost table of the serverless-inference-benchmarking samples (2022-09).

A type that the table does not have gets its vCPUs and memory from its name, by the sizes that all its families share
(large 2 vCPUs, xlarge 4, Nxlarge 4 N; 2, 4 or 8 GiB per vCPU for c, m and r families), no accelerator and no price.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

__all__ = ["SOURCES", "Catalogue", "Instance", "is_instance_type"]

SOURCES: Mapping[str, str] = {
    "A": "AWS Price List of AmazonSageMaker, by a public file",
    "B": "foundation-model-benchmarking-tool",
    "C": "CostPerHour of a real job",
    "D": "serverless-inference-benchmarking",
}

_NAME = re.compile(r"ml\.(?P<family>[a-z0-9-]+)\.(?P<size>(?P<times>\d*)xlarge|medium|large)")
_GIB_PER_VCPU = {"c": 2.0, "m": 4.0, "r": 8.0}


@dataclass(frozen=True, slots=True)
class Instance:
    """One type. usd_per_hour: list price, None: not known. accelerator: "" if there is none."""

    name: str
    vcpu: int
    memory_gib: float
    accelerator_count: int = 0
    accelerator: str = ""
    accelerator_memory_gib: float = 0.0
    usd_per_hour: float | None = None
    price_source: str = ""
    price_date: str = ""

    @property
    def family(self) -> str:
        """`c5` of `ml.c5.xlarge`."""
        return self.name.split(".")[1]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The known types, by name."""

    known: Mapping[str, Instance]

    @classmethod
    def built_in(cls) -> Catalogue:
        """The table that comes with the package."""
        text = resources.files("loadtest.jobs").joinpath("instances.csv").read_text("utf-8")
        found = (_instance(row) for row in csv.DictReader(io.StringIO(text)))
        return cls({instance.name: instance for instance in found})

    def get(self, name: str) -> Instance | None:
        """The type; one that the table does not have from its name; None: the name is not of an instance type."""
        return self.known.get(name) or _from_name(name)


def is_instance_type(name: str) -> bool:
    """Whether it is made as SageMaker's names are: ml.c5.xlarge."""
    return _NAME.fullmatch(name) is not None


def _instance(row: Mapping[str, str]) -> Instance:
    price = row["usd_per_hour_us_east_1"]
    return Instance(
        name=row["instance_type"],
        vcpu=int(row["vcpu"]),
        memory_gib=float(row["memory_gib"]),
        accelerator_count=int(row["accelerator_count"] or 0),
        accelerator=row["accelerator"],
        accelerator_memory_gib=float(row["accelerator_memory_gib_each"] or 0),
        usd_per_hour=float(price) if price else None,
        price_source=SOURCES.get(row["price_source"][:1], row["price_source"]),
        price_date=row["price_date"],
    )


def _from_name(name: str) -> Instance | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    size = match["size"]
    vcpu = {"medium": 1, "large": 2}.get(size) or 4 * int(match["times"] or 1)
    return Instance(name, vcpu, vcpu * _GIB_PER_VCPU.get(match["family"][0], 4.0))

"""How much load a machine can generate, and whether that is enough for a job: values, no clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from loadtest.core.measure.counters import merged
from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import TargetRef

__all__ = ["SCHEMA_VERSION", "Calibration", "Ceiling", "Demand", "Fit", "PathName", "ceiling_of", "fit", "path_of"]

PathName = Literal["null", "http", "https"]

SCHEMA_VERSION = 1
COMFORT = 0.7  # of a core: above it a generator's own queueing begins to show
LEAST_CPU = 0.02  # of a core: with less in the loaded stage nothing was measured


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What one generator process does on one path.

    path: "null": no request at all, the generator's own work; "http", "https": signed requests to an endpoint on this
        machine that answers at once. users: in the loaded stage.
    per_s: successes measured; cpu: of the generator meanwhile, 1.0 is one core; per_core_per_s: per_s / cpu.
    added_p50_ms, added_p99_ms: latency above the endpoint's own of a single user: sockets, TLS, and the endpoint's HTTP
        server; loaded_*: the same of all users at once, where it measures the queue for this machine's cores. None: no
        request went out.
    """

    path: PathName
    users: int
    per_s: float
    cpu: float
    per_core_per_s: float
    added_p50_ms: float | None = None
    added_p99_ms: float | None = None
    loaded_p50_ms: float | None = None
    loaded_p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """One machine's ceilings. measured_at: epoch seconds. not_measured: path and why."""

    measured_at: float
    host: str
    environment: Mapping[str, str | int]
    ceilings: tuple[Ceiling, ...]
    not_measured: Mapping[str, str] = field(default_factory=dict)

    def ceiling(self, path: PathName) -> Ceiling | None:
        """None: it was not measured."""
        return next((ceiling for ceiling in self.ceilings if ceiling.path == path), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with `schema_version`."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_dict`. Raises ValueError, KeyError or TypeError for anything else."""
        if values["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {values['schema_version']!r}, this version reads {SCHEMA_VERSION}")
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        return cls(**{**kept, "ceilings": tuple(Ceiling(**ceiling) for ceiling in kept["ceilings"])})


def ceiling_of(path: PathName, users: int, single: Sequence[Window], loaded: Sequence[Window]) -> Ceiling:
    """From the windows of one user and those of all. Raises ValueError if they hold too little to judge by."""
    length_s = sum(window.length_s for window in loaded)
    ok = sum(window.ok for window in loaded)
    cpu = sum(window.health.cpu * window.length_s for window in loaded) / length_s if length_s else 0.0
    if not ok or cpu < LEAST_CPU:
        raise ValueError(f"{ok} requests succeeded in {length_s:.1f} s, at {cpu:.0%} of a core")
    added = (None,) * 4 if path == "null" else (*_added_ms(single), *_added_ms(loaded))
    return Ceiling(path, users, ok / length_s, cpu, ok / length_s / cpu, *added)


def _added_ms(windows: Sequence[Window]) -> tuple[float | None, float | None]:
    """(p50, p99) of the client's latency above the median that the endpoint told of itself."""
    client = merged(window.latencies.client.encoded for window in windows)
    model_us = merged(window.latencies.model.encoded for window in windows).percentile_us(0.5) or 0
    p50, p99 = (None if us is None else max(0, us - model_us) / 1000 for us in client.percentiles_us([0.5, 0.99]))
    return p50, p99


@dataclass(frozen=True, slots=True)
class Demand:
    """The most requests a second that a job can come to. source: what that is known by; estimate: it is a guess."""

    per_s: float
    source: str
    estimate: bool = True


@dataclass(frozen=True, slots=True)
class Fit:
    """Is a machine enough? workers: processes that would be; None: it has not that many cores."""

    enough: bool
    workers: int | None


def fit(ceiling: Ceiling, demand: Demand, workers: int, cores: int) -> Fit:
    """Whether `workers` processes on `cores` cores can make the demand with each core at most 70 % busy."""
    needed = max(1, math.ceil(demand.per_s / (COMFORT * ceiling.per_core_per_s)))
    return Fit(needed <= min(workers, cores), needed if needed <= cores else None)


def path_of(target: TargetRef) -> PathName | None:
    """Which ceiling a target's traffic is under; None: one that is not calibrated (boto3, plug-ins)."""
    if target.scheme == "sagemaker":
        return "http" if TargetRef(str(target.options.get("endpoint_url") or "")).scheme == "http" else "https"
    known: Mapping[str, PathName] = {"null": "null", "mock": "http", "http": "http", "https": "https"}
    return known.get(target.scheme)

"""The plan that goes down to an engine: JSON values only, since a child process reads it on its stdin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtest.core.curve import Step, TrafficCurve
from loadtest.core.spec import LatencyThreshold, RunOptions, StopConditions

__all__ = ["PayloadSource", "Plan", "TargetRef"]


@dataclass(frozen=True, slots=True)
class TargetRef:
    """What `open_target` opens.

    ref: `mock:servers=4`, `sagemaker:NAME`, `boto3:NAME`, `http://host:port/path`, `package.module:Name`.
    options: region, profile, endpoint_url, target_variant, target_model, inference_component_name,
        custom_attributes, accept, ..., connect_timeout_s, read_timeout_s, ca_file, stream: what the CLI
        or a scenario gives besides the ref. Never credentials.
    """

    ref: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PayloadSource:
    """Where request bodies come from. path: a file, folder or .tar.gz; None: one built-in JSON body."""

    path: str | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Plan:
    """One load test, complete: whoever holds it can run it.

    curve: how many users at which time. limit_s: hard end of the traffic, seconds from start (T10);
        None: the curve's end is the end. workers: generator processes.
    """

    curve: TrafficCurve
    stop: StopConditions
    target: TargetRef
    payload: PayloadSource = PayloadSource()
    options: RunOptions = RunOptions()
    limit_s: float | None = None
    workers: int = 1

    @property
    def end_s(self) -> float:
        """When traffic ends at the latest."""
        return self.curve.end_s if self.limit_s is None else min(self.curve.end_s, self.limit_s)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`, also after a trip through JSON."""
        curve, stop = values["curve"], values["stop"]
        latency = stop["latency"]
        return cls(
            curve=TrafficCurve(tuple(Step(**step) for step in curve["steps"]), curve["end_s"]),
            stop=StopConditions(**{**stop, "latency": latency and LatencyThreshold(**latency)}),
            target=TargetRef(**values["target"]),
            payload=PayloadSource(**values["payload"]),
            options=RunOptions(**values["options"]),
            limit_s=values["limit_s"],
            workers=values["workers"],
        )

    def digest(self) -> str:
        """Hex SHA-256 of the plan's canonical JSON: two processes with the same digest run the same test."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

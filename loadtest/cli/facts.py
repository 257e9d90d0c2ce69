"""What a run's files and its result say of the job and of what the traffic went to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from loadtest.core.request.placeholder import aws_refusals, placeholders
from loadtest.core.request.spec import JobSpec
from loadtest.core.result.unused import unused_members
from loadtest.core.traffic.plan import Plan

__all__ = ["labels_about"]


def labels_about(plan: Plan, spec: JobSpec, endpoint: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """job, label, info and not_run of a `RunResult`. endpoint: what was found of the existing one; None: nothing."""
    info = _info(plan, spec)
    if endpoint is not None:
        info["existing_endpoint"] = dict(endpoint)
    # Tests over MaxNumberOfTests (T11).
    not_run = [test.label for test in spec.tests()[1]]
    return {"job": dict(spec.request), "label": spec.name, "info": info, "not_run": not_run}


def _info(plan: Plan, spec: JobSpec) -> dict[str, Any]:
    """What the traffic went to, and what the job asked for that one target cannot stand for."""
    info: dict[str, Any] = {
        "target": plan.target.ref,
        "payload": plan.shown()["payload"]["path"] or "one small JSON document",
    }
    if plan.target.scheme in ("sagemaker", "boto3"):
        info["endpoint_name"] = plan.target.rest
    made_up = placeholders(spec.request)
    unused = unused_members(spec.request, info.get("endpoint_name"))
    info["not_used"] = [asdict(each) for each in unused if each.member not in made_up]
    info["aws_would_refuse"] = [str(problem) for problem in aws_refusals(spec.request)]
    if plan.arrivals is not None:
        info["aws_would_refuse"].append("--rate: AWS knows users only; the job's own traffic was not sent")
    if spec.configurations and not made_up:
        info["not_provisioned"] = [test.label for test in spec.tests()[0] if test.configuration is not None]
    return info

"""The flags that say where a run's metrics go while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from loadtest.core.traffic.plan import Plan
from loadtest.errors import Problem, SpecError, masked
from loadtest.export.exports import ExportOptions
from loadtest.export.metrics import Labels
from loadtest.report.place import PARTIAL
from loadtest.targets.reference import split_ref

__all__ = ["export_flags", "exports_of", "labels_of"]

Command = TypeVar("Command", bound=Callable[..., Any])

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]*):)?(?P<port>\d{1,5})")


def export_flags(command: Command) -> Command:
    """Decorator: adds the flags; `exports_of` and `labels_of` read them."""
    options = (
        click.option(
            "--prometheus",
            metavar="[HOST:]PORT",
            help=f"Let Prometheus scrape /metrics here while it runs; {LOOPBACK} without a HOST, 0: a free port.",
        ),
        click.option(
            "--prometheus-textfile",
            metavar="FILE",
            help="Keep the metrics in FILE for node_exporter; NAME.prom, always whole.",
        ),
        click.option("--otlp", is_flag=True, help="Send the metrics by OTLP, as the OTEL_* variables say."),
        click.option("--testid", help="Label of the metrics.  [default: the run folder's name]"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def exports_of(given: Mapping[str, Any]) -> ExportOptions:
    """What is to be exported, and where. Raises SpecError for an address that is none."""
    problems, listen = [], None
    if given["prometheus"] is not None:
        listen = _address(given["prometheus"])
        if listen is None:
            advice = "such as 127.0.0.1:9464, or 9464 alone"
            problems.append(Problem("--prometheus", repr(given["prometheus"]), "must be [HOST:]PORT", advice))
    wanted = ExportOptions(listen, given["prometheus_textfile"], given["otlp"])
    if given["testid"] is not None and wanted == ExportOptions() and not problems:
        advice = "give --prometheus, --prometheus-textfile or --otlp"
        problems.append(Problem("--testid", given["testid"], "no metrics are exported", advice))
    if problems:
        raise SpecError(problems)
    return wanted


def labels_of(given: Mapping[str, Any], plan: Plan, info: Mapping[str, Any], folder: Path) -> Labels:
    """The labels of the run whose files go to `folder`; a replay's, in a folder of it, are named after the run's."""
    replay = folder.parent.name.endswith(PARTIAL)
    whole = folder.parent if replay else folder
    testid = given["testid"] or whole.name.removesuffix(PARTIAL)
    if replay:
        testid += f"/{folder.name.removesuffix(PARTIAL)}"
    options = plan.target.options
    return Labels(testid, info.get("endpoint_name") or _endpoint(plan.target.ref), options.get("target_variant") or "")


def _endpoint(ref: str) -> str:
    """Where the traffic goes, without what may be secret in a URL."""
    scheme, _ = split_ref(ref)
    return "mock" if scheme == "mock" else masked(ref).partition("?")[0]


def _address(text: str) -> tuple[str, int] | None:
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        return None
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])

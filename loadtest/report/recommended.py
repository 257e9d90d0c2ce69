"""What a job's tests recommend, for a terminal: the table, what failed and why, where serverless breaks even."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtest.core.result.breakeven import BreakEven, break_evens, per_million_usd
from loadtest.report.words import number

__all__ = ["break_even_words", "place_of", "recommended", "usd"]


def recommended(described: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> RenderableType:
    """described: Describe's answer. steps: of ListInferenceRecommendationsJobSteps."""
    entries = described.get("InferenceRecommendations", ())
    parts: list[RenderableType] = [Text(f"{described['JobName']}: {described['Status']}", style="bold")]
    if entries:
        parts.append(_table(entries))
        parts.append(Text("The cheapest per inference is the last. Rates are a minute, of all instances together."))
    else:
        parts.append(Text("No recommendation: no test found a rate at which the conditions held."))
    for each in described.get("EndpointPerformances", ()):
        metrics = each["Metrics"]
        name = each["EndpointInfo"]["EndpointName"]
        parts.append(Text(f"{name}: {metrics['MaxInvocations']:,} a minute, {metrics['ModelLatency']} ms"))
    parts += [Text(break_even_words(each)) for each in break_evens(entries)]
    parts += [Text(line, style=style, overflow="fold") for line, style in _told(steps)]
    return Group(*parts)


def _table(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("runs on", overflow="fold", ratio=1)
    for head in ("instances", "invocations/min", "latency ms", "USD/hour", "USD/million"):
        table.add_column(head, justify="right", no_wrap=True)
    for entry in entries:
        metrics = entry["Metrics"]
        table.add_row(
            place_of(entry),
            str(entry["EndpointConfiguration"].get("InitialInstanceCount", "-")),
            f"{metrics['MaxInvocations']:,}",
            str(metrics.get("ModelLatency", "-")),
            usd(metrics.get("CostPerHour")),
            usd(per_million_usd(metrics)),
        )
    return table


def _told(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for step in steps:
        benchmark = step["InferenceBenchmark"]
        if (why := benchmark.get("FailureReason")) is not None:
            failed = step["Status"] == "FAILED"
            yield f"{place_of(benchmark)}: {step['Status']}: {why}", "red" if failed else "yellow"


def place_of(entry: Mapping[str, Any]) -> str:
    """`ml.c5.xlarge (OMP_NUM_THREADS=2)`, `serverless, 2048 MB`, or the name of an existing endpoint."""
    where = entry["EndpointConfiguration"]
    serverless = where.get("ServerlessConfig")
    name = f"serverless, {serverless['MemorySizeInMB']} MB" if serverless else where.get("InstanceType")
    environment = entry["ModelConfiguration"].get("EnvironmentParameters", ())
    set_to = ", ".join(f"{each['Key']}={each['Value']}" for each in environment)
    name = name or where.get("EndpointName", "-")
    return f"{name} ({set_to})" if set_to else str(name)


def break_even_words(found: BreakEven) -> str:
    """One sentence; an estimate, as serverless costs are."""
    count = found.instances["EndpointConfiguration"].get("InitialInstanceCount", 1)
    serverless, instances = place_of(found.serverless), f"{count} x {place_of(found.instances)}"
    if not found.reached:
        return f"{serverless} costs less than {instances} at any rate that these serve (estimate)."
    return f"{serverless} costs less than {instances} below {number(found.per_month)} invocations a month (estimate)."


def usd(value: float | None) -> str:
    """To three digits; -: there is no price."""
    return "-" if value is None else f"{value:.3g}"

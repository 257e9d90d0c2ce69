"""The endpoint's own figures beside the client's, on a terminal: a row a level, and what is absent or doubtful."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table

from loadtest.core.judge.verdict import LatencyVerdict
from loadtest.core.result.result import RunResult
from loadtest.core.result.service_side import LevelSide, ServiceSide, service_side
from loadtest.report.existing import endpoint_lines
from loadtest.report.words import duration, level_users, milliseconds, number, plural

__all__ = ["cloudwatch_lines", "cloudwatch_tables", "judged_clock", "log_lines", "percentile_range", "service_lines"]

MAX_ROWS, FIRST_ROWS = 24, 4
OPTIONAL = {  # metrics that many endpoints do not have, and which do
    "ModelSetupTime": "serverless",
    "GPUUtilization": "instances with GPUs",
    "GPUMemoryUtilization": "instances with GPUs",
    "ConcurrentRequestsPerModel": "newer endpoints",
    "ConcurrentRequestsPerCopy": "newer endpoints",
}


def judged_clock(verdicts: Sequence[LatencyVerdict]) -> str:
    """Whose clock verdicts are on: "client", "model", or both where the client's upper bound decided some."""
    return "/".join(sorted({verdict.clock for verdict in verdicts}))


def cloudwatch_tables(result: RunResult) -> Iterator[Table]:
    """Nothing without a level that holds a whole period."""
    side = service_side(result)
    if side is None or not side.levels:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left", title_style="")
    table.title = f"The endpoint's own figures, ms, of whole periods of {side.period_s:g} s inside each level:"
    head = ("\nusers", "peri-\nods", "model\nmean", "\np95", "over-\nhead", "net-\nwork", "client\nmean", "\np95")
    for heading in (*head, "calls\n/min", "CPU\n%"):
        table.add_column(heading, justify="right", no_wrap=True)
    users = {level.level: level_users(level.plan) for level in result.levels}
    skipped = max(0, len(side.levels) - MAX_ROWS)
    for i, level in enumerate(side.levels):
        if skipped and i == FIRST_ROWS:
            table.add_row(f"({skipped} more)")
        if not skipped or not FIRST_ROWS <= i < FIRST_ROWS + skipped:
            table.add_row(users.get(level.level, "-"), *_cells(level))
    yield table


def cloudwatch_lines(result: RunResult) -> Iterator[str]:
    """What is to be known of these figures; nothing if CloudWatch was not asked."""
    side, document = service_side(result), result.cloudwatch
    if side is None or document is None:
        return
    yield from side.problems
    yield from side.doubts
    if missing := document.get("missing"):
        periods = plural(len(missing), f"whole period of {side.period_s:g} s", f"whole periods of {side.period_s:g} s")
        yield f"{periods} inside levels did not come within {duration(document['waited_s'])}"
    if not side.levels and not side.problems:
        yield f"no level holds a whole period of {side.period_s:g} s: levels of twice that always hold one"
    if not side.problems:
        yield from _absent(side)
    yield from log_lines(result)


def service_lines(result: RunResult) -> Iterator[str]:
    """What the endpoint was, and what CloudWatch told of it, each line with the word that it is about."""
    yield from (f"Endpoint: {line}" for line in endpoint_lines(result))
    yield from (f"CloudWatch: {line}" for line in cloudwatch_lines(result))


def log_lines(result: RunResult) -> Iterator[str]:
    """The endpoint's log lines of minutes with errors, each with its run time."""
    log = (result.cloudwatch or {}).get("log") or {}
    if log.get("problem"):
        yield f"the endpoint's log was not read: {log['problem']}"
    for line in log.get("lines", ()):
        at = "" if result.started_at is None else f"{duration(max(0.0, line['at'] - result.started_at))} "
        yield f"log {at}{line['stream']}: {line['message']}"
    if log.get("more"):
        yield f"there are more such lines in {log['group']}"


def percentile_range(level: LevelSide, share: float) -> str:
    """`80.1` or `80.1 .. 93.2`: the percentile of all periods lies between the lowest and the highest of theirs."""
    low, high = (level.model_percentiles or {}).get(share, (None, None))
    return milliseconds(low) if low == high else f"{milliseconds(low)} .. {milliseconds(high)}"


def _absent(side: ServiceSide) -> Iterator[str]:
    surprising = [name for name in side.absent if name not in OPTIONAL]
    if surprising:
        yield f"absent, no point of it came: {', '.join(surprising)}"
    usual = [f"{name} ({OPTIONAL[name]})" for name in side.absent if name in OPTIONAL]
    if usual:
        yield f"absent: {', '.join(usual)}"


def _cells(level: LevelSide) -> list[str]:
    return [
        f"{level.periods}",
        milliseconds(level.model_mean_ms),
        percentile_range(level, 0.95),
        milliseconds(level.overhead_mean_ms),
        milliseconds(level.network_ms),
        milliseconds(level.client.mean_ms),
        milliseconds(level.client.p95_ms),
        "-" if level.invocations_per_min is None else number(level.invocations_per_min),
        "-" if level.cpu is None else number(round(level.cpu, 1)),
    ]

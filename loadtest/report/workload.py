"""What kind of load it was, in words: a closed loop of users or an open schedule of requests, and what that means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from loadtest.core.measure.levels import LevelResult
from loadtest.core.measure.totals import Totals
from loadtest.core.measure.worker import Worker
from loadtest.core.result.confirmation import Confirmation
from loadtest.core.result.result import RunResult
from loadtest.core.stats.plateau import plateau_start
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.report.words import duration, milliseconds, number, plural

__all__ = ["confirmation_lines", "knee_of", "latency_table", "rate_words", "worker_lines", "workload_lines"]

STYLES = {"held": "bold green", "not held": "bold red", "undecided": "bold yellow"}
MIN_OK = 100  # completions that a level's throughput rests on


def rate_words(arrivals: Arrivals) -> str:
    """500/s constant - 12.5/s poisson - 1 .. 340/s constant, of a search."""
    rates = [arrivals.rate_per_s, *(rate for _, rate in arrivals.steps)]
    low = "" if len(set(rates)) == 1 else f"{number(min(rates))} .. "
    return f"{low}{number(max(rates))}/s {arrivals.law}"


def workload_lines(result: RunResult) -> Iterator[Text]:
    """Closed or open, how much of it, and what the latencies are of."""
    totals, arrivals = result.totals, result.plan.arrivals
    counts = f"{totals.ok:,} ok, {plural(totals.errors, 'error')}"
    if arrivals is not None:
        ended_s = arrivals.duration_s if result.stopped_at_s is None else min(arrivals.duration_s, result.stopped_at_s)
        length_s = ended_s if arrivals.steps else arrivals.duration_s
        yield Text(f"Open workload, {rate_words(arrivals)} for {duration(length_s)}; {counts}")
        yield Text(_sends(totals), style="yellow" if totals.sends.dropped or totals.sends.very_late else "")
        return
    peak = max((level.users for level in result.levels), default=0)
    yield Text(f"Closed workload, {plural(peak, 'user')}; {counts}")
    knee = knee_of(result.levels)
    # A run that a plateau ended has found the knee already, between levels if it lies there.
    found = result.evidence.get("knee_users") or (knee and knee.users)
    if found:
        yield Text(
            f"Above {plural(round(found), 'user')} more users brought no more invocations: latencies there measure "
            "the number of users, not the endpoint"
        )


def worker_lines(workers: Sequence[Worker]) -> Iterator[Text]:
    """How many generator processes there were, on how many hosts, and how far their clocks are apart."""
    if not workers:
        return
    hosts = len({worker.host for worker in workers})
    offset_ms = 1000 * max(abs(worker.clock_offset_s) for worker in workers)
    within_ms = 1000 * max(worker.clock_within_s for worker in workers)
    yield Text(
        f"{plural(len(workers), 'worker')} on {plural(hosts, 'host')}, their clocks at most {milliseconds(offset_ms)}"
        f" ms from the master's (known to {milliseconds(within_ms)} ms)"
    )


def knee_of(levels: Sequence[LevelResult]) -> LevelResult | None:
    """The level above which users only queue; None: the load never got past one.

    The plateau begins there, by the rule of `core.stats.plateau`.
    """
    solid = [level for level in levels if level.throughput_per_s and level.ok >= MIN_OK and level.windows]
    start = plateau_start([(level.users, level.throughput_per_s or 0.0) for level in solid])
    return None if start is None else solid[start]


def latency_table(totals: Totals) -> Table:
    """Both latencies of an open workload, in ms."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("latency, ms", "p50", "p95", "p99", "max"):
        table.add_column(heading, justify="left" if heading.startswith("latency") else "right", no_wrap=True)
    table.add_row("response (from the intended time)", *map(milliseconds, totals.latencies.response.row))
    table.add_row("service (from the time it was sent)", *map(milliseconds, totals.latencies.client.row))
    return table


def confirmation_lines(confirmation: Confirmation) -> Iterator[Text]:
    """The answer, then its figures."""
    c = confirmation
    what = f"{100 * c.share:g} % of the best rate"
    if c.rate_per_s is None or c.duration_s is None:
        yield Text.assemble("Confirmation: ", (c.answer, STYLES[c.answer]), f", {'; '.join(c.reasons)}")
        return
    yield Text.assemble(
        "Confirmation: ",
        (c.answer, STYLES[c.answer]),
        f", {what} as an open workload, {number(c.rate_per_s)}/s {c.law} for {duration(c.duration_s)}",
    )
    for reason in c.reasons:
        yield Text(f"  - {reason}")
    achieved = "-" if c.achieved_per_s is None else number(c.achieved_per_s)
    response = ", ".join(
        f"{name} {milliseconds(value)}"
        for name, value in (("p50", c.response_p50_ms), ("p95", c.response_p95_ms), ("p99", c.response_p99_ms))
    )
    yield Text(f"  {achieved}/s achieved, {plural(c.errors, 'error')}; response {response} ms")
    facts = [f"service p99 {milliseconds(c.service_p99_ms)} ms", f"{c.late:,} late, {c.dropped:,} dropped"]
    facts += [f"threshold {c.threshold}"] if c.threshold else []
    facts += [f"backlog {c.backlog}"] if c.backlog else []
    yield Text(f"  {'; '.join(facts)}")


def _sends(totals: Totals) -> str:
    late = f"{totals.sends.late:,} over 1 ms late ({totals.sends.very_late:,} over 10 ms)"
    return f"{totals.sends.intended:,} requests were due: {late}, {totals.sends.dropped:,} dropped"

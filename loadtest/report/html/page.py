"""What is on a page, in its order, as values and words: a function of results alone. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loadtest.core.judge.decision import REASONS
from loadtest.core.result.result import RunResult
from loadtest.core.result.service_side import service_side
from loadtest.report.html.buckets import buckets, coarser
from loadtest.report.html.byusers import user_charts
from loadtest.report.html.chart import Cell, Chart, Table, cell
from loadtest.report.html.fronts import break_even_table, front_chart, recommendations_table, steps_table
from loadtest.report.html.generator import generator_charts, lateness_chart
from loadtest.report.html.happenings import happenings
from loadtest.report.html.heat import HEAT_COLUMNS
from loadtest.report.html.overtime import events_table, time_charts, time_table
from loadtest.report.html.repeat import anonymous, command_line
from loadtest.report.html.sentences import Sentence, sentences
from loadtest.report.html.service import service_charts, service_table, service_texts
from loadtest.report.html.spread import spread_charts
from loadtest.report.html.tables import errors_table, figure, levels_table, trust_table, workers_table
from loadtest.report.terminal import closing, headline
from loadtest.report.words import duration, milliseconds, number, percent, plural
from loadtest.report.workload import rate_words
from loadtest.version import VERSION

__all__ = ["PARTS", "TITLES", "Page", "Part", "Section", "facts_of", "page_of", "section_of"]

# Of a test's page, in their order: (name, heading, its link's text).
PARTS = (
    ("users", "Throughput and latency against users", "Users"),
    ("time", "Over time", "Time"),
    ("spread", "The distribution of latency", "Distribution"),
    ("levels", "Levels and errors", "Levels"),
    ("trust", "Schedule and trust", "Trust"),
    ("job", "The job, and how to repeat it", "The job"),
)
TITLES = ("How far to trust it, and what else was seen", "What was tested")


@dataclass(frozen=True, slots=True)
class Part:
    """One section of a test. tables: (heading, table). texts: (heading, preformatted text). short: its link."""

    name: str
    title: str
    lead: str = ""
    charts: Sequence[Chart] = ()
    tables: Sequence[tuple[str, Table]] = ()
    texts: Sequence[tuple[str, str]] = ()
    short: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One load test, or one candidate of a comparison. answer: in a word or two; tone: "good", "bad" or "open".

    head, rest: the terminal's sentences. tiles: (name, figure, what it is of). facts: (name, text).
    """

    key: str
    label: str
    answer: str
    tone: str
    head: Sequence[Sentence]
    rest: Sequence[Sentence]
    tiles: Sequence[tuple[str, Cell, str]]
    facts: Sequence[tuple[str, str]]
    parts: Sequence[Part]

    @property
    def charts(self) -> list[Chart]:
        return [chart for part in self.parts for chart in part.charts]


@dataclass(frozen=True, slots=True)
class Page:
    """All that a page says and shows.

    job: what several tests of a job say together; None for one test. kind: of page. titles: over each section's
    further sentences, and over its facts. source: the files that every figure of it is in.
    """

    title: str
    sections: Sequence[Section]
    job: Part | None = None
    kind: str = "report"
    titles: tuple[str, str] = TITLES
    source: str = "summary.json and windows.jsonl of the run's folder"


def page_of(
    results: Sequence[RunResult],
    created_at: float = 0.0,
    described: Mapping[str, Any] | None = None,
    steps: Sequence[Mapping[str, Any]] = (),
) -> Page:
    """results: at least one; several are the tests of a job. created_at: epoch seconds, of the job.

    described, steps: what the API answers of the job; None, (): nobody asked, the recommendations follow from results.
    """
    sections = [section_of(result, f"t{i}") for i, result in enumerate(results)]
    name = str((results[0].job or {}).get("JobName") or results[0].label or "load test")
    several = len(results) > 1 or described is not None
    return Page(name, sections, _job(results, created_at, described, steps) if several else None)


def _job(
    results: Sequence[RunResult],
    created_at: float,
    described: Mapping[str, Any] | None,
    steps: Sequence[Mapping[str, Any]],
) -> Part:
    chart = front_chart(results, created_at, described)
    lead = "" if chart else "Cost against latency is drawn when at least two tests have a price and a rate that held."
    tables = [("Recommendations", recommendations_table(results, created_at, described))]
    even = None if described is None else break_even_table(described)
    tables += [("Serverless against instances", even)] if even else []
    tables += [("Tests", steps_table(steps))] if steps else []
    return Part("job", "All tests", lead, [chart] if chart else [], tables)


def section_of(result: RunResult, key: str = "t0") -> Section:
    """The part of a page that is one result's. key: begins the names of its anchors."""
    answer, tone = _answer(result)
    return Section(
        key=key,
        label=result.label or str((result.job or {}).get("JobName") or "load test"),
        answer=answer,
        tone=tone,
        head=list(sentences(headline(result))),
        rest=list(sentences(closing(result))),
        tiles=_tiles(result),
        facts=facts_of(result),
        parts=_parts(result),
    )


def _answer(result: RunResult) -> tuple[str, str]:
    if REASONS[result.reason].exit_code == 1:
        return "failed", "bad"
    if result.searched and result.capacity is not None:
        return ("found", "good") if result.capacity.finding == "found" else ("undecided", "open")
    if result.plan.stop.latency is None:
        return "done", "good"
    if result.overall is None:
        return "undecided", "open"
    return result.overall.answer, {"met": "good", "not met": "bad"}.get(result.overall.answer, "open")


def _tiles(result: RunResult) -> list[tuple[str, Cell, str]]:
    totals, latencies = result.totals, result.totals.latencies
    best = result.max_invocations_per_min
    estimated = "an estimate from under a minute" if result.estimated else "invocations a minute"
    judged, prefix = (
        (latencies.response, "response_") if latencies.response.p95_ms is not None else (latencies.client, "")
    )
    ms = lambda value: f"{milliseconds(value)} ms"  # noqa: E731
    trust = "the generator set the pace" if result.trust.client_limited else plural(len(result.trust.reasons), "doubt")
    return [
        (
            "Best rate",
            figure("max_invocations_per_min", best, number),
            estimated if best is not None else "no number was found" if result.searched else "no rate held",
        ),
        (
            "P50",
            figure(f"totals.{prefix}p50_ms", judged.p50_ms, ms),
            "response latency, all levels" if prefix else "latency, all levels",
        ),
        ("P95", figure(f"totals.{prefix}p95_ms", judged.p95_ms, ms), "of all successes"),
        ("P99", figure(f"totals.{prefix}p99_ms", judged.p99_ms, ms), "of all successes"),
        (
            "Errors",
            figure("totals.errors", totals.errors, lambda n: f"{n:,}"),
            f"{percent(totals.error_ratio)} of {totals.completed:,}",
        ),
        ("Trust", Cell("VALID" if result.trust.valid else "INVALID", "trust.valid", result.trust.valid), trust),
    ]


def facts_of(result: RunResult) -> list[tuple[str, str]]:
    """What was tested, as (name, text)."""
    environment, plan = result.environment, result.plan
    began = "virtual time" if result.started_at is None else _date(result.started_at)
    peak = plan.curve.peak
    workload = (
        f"closed, at most {plural(peak, 'user')}"
        if plan.arrivals is None
        else f"open, {rate_words(plan.arrivals)}, at most {peak:,} in flight"
    )
    limit = plan.stop.latency
    rows = [
        ("Target", str(result.info.get("target") or plan.target.ref)),
        ("Address", str(environment.get("target_url", ""))),
        ("Payload", str(result.info.get("payload") or plan.payload.path or "one small JSON document")),
        ("Workload", workload),
        ("Threshold", "none" if limit is None else f"{limit.name} of latency at most {limit.limit_ms} ms"),
        ("Began", began),
        ("Took", duration(result.totals.length_s)),
        ("Version", f"loadtest {environment.get('loadtest', VERSION)}"),
    ]
    return [(name, anonymous(text)) for name, text in rows if text]


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _parts(result: RunResult) -> list[Part]:
    levels, events = levels_table(result), happenings(result)
    by_users, levels_note = user_charts(result, levels)
    load = "users" if result.plan.arrivals is None else "rate"
    _, found = buckets(result.windows)
    columns = coarser(found, HEAT_COLUMNS)
    over = time_table(result, columns)
    over_time, joined = time_charts(result, found, columns, over, events)
    lateness = lateness_chart(result)
    generator = [*([lateness] if lateness else []), *generator_charts(result, found, over)]
    workers = [("Workers", workers_table(result))] if result.workers else []
    errors = [("Errors", errors_table(result))] if result.totals.errors else []
    versions = [("Versions", _versions(result))] if result.environment else []
    schedule = _schedule(result)
    contents: dict[str, dict[str, Any]] = {
        "users": {"lead": levels_note, "charts": by_users},
        "time": {"lead": joined, "charts": over_time, "tables": [("What happened", events_table(events))]},
        "spread": {"charts": spread_charts(result)},
        "levels": {"tables": [("Levels", levels), *errors]},
        "trust": {"lead": schedule, "charts": generator, "tables": [("Trust", trust_table(result)), *workers]},
        "job": {"tables": versions, "texts": _texts(result)},
    }
    parts = [
        Part(name, title.replace("users", load), short=short.replace("Users", load.capitalize()), **contents[name])
        for name, title, short in PARTS
    ]
    at = [name for name, _, _ in PARTS].index("time") + 1
    parts[at:at] = _service(result)
    return [part for part in parts if part.charts or part.tables or part.texts]


def _service(result: RunResult) -> list[Part]:
    """What CloudWatch told; [] if it was not asked."""
    side = service_side(result)
    if side is None:
        return []
    table = service_table(result, side)
    tables = [] if table is None else [("By level, beside the client's figures", table)]
    lead = "Asked of CloudWatch; cloudwatch.json has every point."
    title, texts = "The endpoint's own figures", service_texts(result)
    return [Part("service", title, lead, service_charts(side), tables, texts, short="Endpoint")]


def _schedule(result: RunResult) -> str:
    sends, schedule = result.totals.sends, result.schedule
    if result.plan.arrivals is not None:
        return (
            f"{sends.intended:,} requests were due; {sends.late:,} left over 1 ms late, {sends.very_late:,} over 10 "
            f"ms, {sends.dropped:,} were dropped."
        )
    started = plural(schedule.started, "user")
    return (
        f"Schedule {schedule.verdict}: {started} started, {milliseconds(schedule.mean_lag_ms)} ms late on average, "
        f"{milliseconds(schedule.max_lag_ms)} ms at most."
    )


def _versions(result: RunResult) -> Table:
    rows = [[cell(name), cell(anonymous(str(value)))] for name, value in result.environment.items()]
    return Table(["what", "version or value"], rows, words=(0, 1))


def _texts(result: RunResult) -> list[tuple[str, str]]:
    shown = [("Run it again, from this run's folder", command_line(result))]
    if result.job is not None:
        shown.append(("The job as received", _json(result.job)))
    effective: Mapping[str, Any] = result.plan.shown()
    return [*shown, ("Effective settings", _json(_short(effective)))]


def _json(value: Any) -> str:
    return anonymous(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _short(effective: Mapping[str, Any]) -> dict[str, Any]:
    """A ramp has a step for each user: config.json has them all."""
    curve = effective["curve"]
    steps = curve["steps"]
    if len(steps) <= 40:
        return dict(effective)
    left_out = f"({len(steps) - 20} more in config.json)"
    return {**effective, "curve": {**curve, "steps": [*steps[:10], left_out, *steps[-10:]]}}

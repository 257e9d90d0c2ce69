"""The page of a comparison, as values and words: a function of the comparison and the runs alone. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from loadtest.core.compare.comparison import Row
from loadtest.core.compare.profile import profiles_of
from loadtest.core.judge.decision import REASONS
from loadtest.core.result.result import RunResult
from loadtest.report.comparison import (
    Compared,
    answer_words,
    confidence_sentence,
    count_sentence,
    row_cells,
    row_name,
)
from loadtest.report.html.changes import changes_table, level_changes, whole_changes
from loadtest.report.html.chart import Cell, Table, cell
from loadtest.report.html.overlay import SIDES, latency_chart, repeats_chart, time_overlays, user_overlays
from loadtest.report.html.page import Page, Part, Section, facts_of
from loadtest.report.html.repeat import anonymous
from loadtest.report.html.sentences import Sentence, Words
from loadtest.report.words import clock, milliseconds, number, percent, plural

__all__ = ["versus_page"]

TONES = {"better": "good", "worse": "bad", "same": "good", "undecided": "open"}
LOOKS = {"better": "bold green", "worse": "bold red", "same": "bold green", "undecided": "bold yellow"}
TILES = ("throughput", "p50", "p95", "p99", "error share", "best rate")
OF_ONE_RUN = ("Began", "Took")  # facts that any two runs differ in


def versus_page(compared: Sequence[Compared], runs: Mapping[str, RunResult]) -> Page:
    """compared: of one baseline with each candidate, at least one. runs: by the names of their folders."""
    sections = [_section(each, place, runs) for place, each in enumerate(compared)]
    title = f"{_side(compared[0].candidate)} against {_side(compared[0].baseline)}"
    if len(compared) > 1:
        title = f"{plural(len(compared), 'candidate')} against {_side(compared[0].baseline)}"
    return Page(
        title,
        sections,
        _candidates(compared) if len(compared) > 1 else None,
        kind="comparison",
        titles=("What speaks against it", "What was compared"),
        source="summary.json and windows.jsonl of the runs' folders, and in what `loadtest compare --json` prints",
    )


def _side(folders: Sequence[str]) -> str:
    return folders[0] if len(folders) == 1 else f"{folders[0]} and {len(folders) - 1} more"


def _candidates(compared: Sequence[Compared]) -> Part:
    rows = []
    for place, each in enumerate(compared):
        found = {row.metric: number for number, row in enumerate(each.comparison.rows) if row.level is None}
        answer = Cell(each.comparison.answer, f"comparisons.{place}.answer", each.comparison.answer)
        changes = [_change(each, place, found[metric]) if metric in found else cell("-") for metric in TILES]
        rows.append([cell(_side(each.candidate)), answer, *changes])
    table = Table(["candidate", "answer", *TILES], rows, "", (0, 1))
    return Part("job", "All candidates", "", (), [("Answers", table)])


def _change(compared: Compared, place: int, number: int) -> Cell:
    row = compared.comparison.rows[number]
    return Cell(row_cells(row)[2], f"comparisons.{place}.rows.{number}.difference", row.difference)


def _section(compared: Compared, place: int, runs: Mapping[str, RunResult]) -> Section:
    comparison = compared.comparison
    said = Words(f"  {count_sentence(comparison)}")
    whole = [row for row in comparison.rows if row.level is None and row.why]
    whys = [Sentence((Words(f"{row_name(row)}: {row.why}"),), True) for row in whole]
    head = [
        Sentence((Words(comparison.answer.upper(), LOOKS[comparison.answer]), said)),
        Sentence((Words(confidence_sentence(comparison)),)),
        *whys,
    ]
    doubts = [Sentence((Words(f"! {anonymous(doubt)}", "yellow"),)) for doubt in compared.doubts]
    facts = [
        ("Baseline", ", ".join(compared.baseline)),
        ("Candidate", ", ".join(compared.candidate)),
        ("Margin", f"{100 * comparison.margin:g} % does not matter"),
        ("Certainty", f"any wrong better or worse at most {100 * comparison.alpha:g} %"),
    ]
    return Section(
        key=f"c{place}",
        label=f"{_side(compared.candidate)} against {_side(compared.baseline)}",
        answer=comparison.answer,
        tone=TONES[comparison.answer],
        head=head,
        rest=doubts or [Sentence((Words("Nothing was found that speaks against the comparison."),))],
        tiles=_tiles(compared, place),
        facts=facts,
        parts=_parts(compared, place, runs),
    )


def _tiles(compared: Compared, place: int) -> list[tuple[str, Cell, str]]:
    comparison = compared.comparison
    return [
        (
            row.metric[0].upper() + row.metric[1:],
            _change(compared, place, number),
            f"{answer_words(row, comparison)}: {_interval(row)}",
        )
        for number, row in enumerate(comparison.rows)
        if row.level is None and row.metric in TILES
    ]


def _interval(row: Row) -> str:
    return "no interval" if row.low is None and row.high is None else row_cells(row)[3]


def _parts(compared: Compared, place: int, runs: Mapping[str, RunResult]) -> list[Part]:
    sides = [[(name, runs[name]) for name in side] for side in (compared.baseline, compared.candidate)]
    results = [[result for _, result in side] for side in sides]
    profiles = profiles_of(results[0], results[1])
    limits = {result.plan.stop.latency for side in results for result in side}
    limit = limits.pop() if len(limits) == 1 else None
    limit_ms = None if limit is None else float(limit.limit_ms)
    table = changes_table(compared.comparison, place)
    pairs = list(zip(compared.comparison.rows, table.rows, strict=True))
    whole, levels = (
        replace(table, rows=[cells for row, cells in pairs if (row.level is None) == of_run])
        for of_run in (True, False)
    )
    changes = [c for c in (whole_changes(compared.comparison, whole), level_changes(compared.comparison, levels)) if c]
    distribution = latency_chart(profiles, limit_ms)
    over_time, note = time_overlays(sides)
    each = _runs_table(sides)
    repeats = repeats_chart(sides, each)
    parts = [
        Part("changes", "What differs", "", changes, [("Every difference", table)], short="Differences"),
        Part("users", "Both against users", "", user_overlays(profiles, limit_ms), short="Users"),
        Part("time", "Both over time", note, over_time, short="Time"),
        Part("spread", "The distribution of latency", "", [distribution] if distribution else [], short="Distribution"),
        Part("runs", "The runs", "", [repeats] if repeats else [], [("Runs", each)], short="Runs"),
        Part("conditions", "Conditions", "", (), [("Conditions", _conditions(results))], short="Conditions"),
    ]
    return [part for part in parts if part.charts or part.tables]


def _runs_table(sides: Sequence[Sequence[tuple[str, RunResult]]]) -> Table:
    """A row a run."""
    head = ["side", "run", "began", "took", "trust", "ended by", "ok", "errors", "req/s", "P50 ms", "P95 ms", "P99 ms"]
    rows = []
    for place, side in enumerate(sides):
        for name, result in side:
            totals, latency = result.totals, result.totals.latencies.judged
            rate = totals.ok / totals.length_s if totals.length_s else 0.0
            began = result.started_at
            rows.append(
                [
                    cell(SIDES[place]),
                    cell(name),
                    cell("-" if began is None else datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M:%S")),
                    cell(clock(totals.length_s)),
                    cell("VALID" if result.trust.valid else "INVALID"),
                    cell(REASONS[result.reason].sentence),
                    cell(f"{totals.ok:,}"),
                    cell(f"{totals.errors:,} ({percent(totals.error_ratio)})"),
                    cell(number(rate)),
                    *(cell(milliseconds(value)) for value in (latency.p50_ms, latency.p95_ms, latency.p99_ms)),
                ]
            )
    return Table(head, rows, "Figures of whole runs, all levels together; times are UTC.", (0, 1, 2, 4, 5))


def _conditions(results: Sequence[Sequence[RunResult]]) -> Table:
    """What each side was measured under; what differs comes first."""
    found: dict[str, list[dict[str, None]]] = {}
    for place, side in enumerate(results):
        for result in side:
            for name, text in [*facts_of(result), *_environment(result)]:
                if name not in OF_ONE_RUN:
                    found.setdefault(name, [{}, {}])[place][text] = None
    rows = []
    for name, sides in found.items():
        a, b = (" and ".join(side) or "not told" for side in sides)
        rows.append((a == b, [cell(name), cell(a), cell(b), cell("" if a == b else "differs")]))
    shown = [row for _, row in sorted(rows, key=lambda each: each[0])]
    return Table(["condition", *SIDES, ""], shown, "", (0, 1, 2, 3))


def _environment(result: RunResult) -> list[tuple[str, str]]:
    shown = ("loadtest", "target_url")  # among the facts already
    return [(k.replace("_", " "), anonymous(str(v))) for k, v in result.environment.items() if k not in shown]

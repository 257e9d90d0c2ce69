"""A run that goes on, in the words, charts and tables of its report: the same sections, of the windows so far. No I/O.

What only the end knows is missing: why it ended, how users kept to their schedule, versions of the target, workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult, build_result
from loadtest.core.traffic.plan import Plan
from loadtest.report.html.page import Part, Section, section_of
from loadtest.report.html.sentences import sentences
from loadtest.report.terminal import headline

__all__ = ["section_so_far"]


def section_so_far(plan: Plan, windows: Sequence[Window], about: Mapping[str, Any], drawn: Sequence[str]) -> Section:
    """windows: at least one. about: job, label, info of the result. drawn: charts that are drawn window by window."""
    result = build_result(plan, windows, Stop(Reason.USER), **about)
    section = section_of(result)
    parts = [_without(part, drawn) for part in section.parts]
    facts = [("So far" if name == "Took" else name, text) for name, text in section.facts if name != "Began"]
    head = list(sentences(headline(result, over=False)))
    return replace(section, head=head, facts=facts, parts=_of_the_time(parts, result))


def _without(part: Part, drawn: Sequence[str]) -> Part:
    return replace(part, charts=[chart for chart in part.charts if part.name != "time" or chart.name not in drawn])


def _of_the_time(parts: Sequence[Part], result: RunResult) -> list[Part]:
    """Without what an end says: the audit log's last line, and a schedule that nobody has told yet."""
    found = []
    for part in parts:
        if part.name == "time":
            tables = [
                (name, replace(table, rows=[row for row in table.rows if row[1].text != "stop"]))
                for name, table in part.tables
            ]
            part = replace(part, tables=[(name, table) for name, table in tables if table.rows])
        elif part.name == "trust" and result.plan.arrivals is None:
            part = replace(part, lead="")
        found.append(part)
    return found

"""A run as it goes on one screen: where it is on its curve, what it measures, and how near each stop condition is.

Lines that fit, for any size: a terminal that is too low loses the chart first, then levels. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.text import Text

from loadtest.core.traffic.chart import draw
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan
from loadtest.report.conditions import condition_lines
from loadtest.report.glyphs import Glyphs
from loadtest.report.sofar import LevelSoFar, RunSoFar
from loadtest.report.words import clock, level_users, milliseconds, number

__all__ = ["Moment", "screen_lines"]

WIDEST = 120  # more would only move the figures apart
FIGURES = 22  # columns of the figures beside the chart
LEAST_CHART, GOOD_CHART, MOST_CHART = 3, 5, 10  # rows
BESIDE = 5  # rows of the chart besides its own: heading, axis, sparklines
GAPS = 3  # empty rows between the parts
GAUGE, NARROW = 20, 76  # columns of a gauge; of a terminal that has room for less
LOWEST = 14  # rows below which there is no chart
STYLES = {"met": "green", "not met": "bold red", "undecided": "yellow"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What a screen shows besides the run's figures. title: of the run. phase: what is going on, in words; "": traffic.

    phase_s: for how long it has been. messages: what was said so far, the newest last.
    """

    title: str
    phase: str = ""
    phase_s: float = 0.0
    messages: Sequence[str] = ()


def screen_lines(run: RunSoFar, moment: Moment, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """At most `height` lines of at most `width` columns."""
    width = min(width, WIDEST)
    head = [_header(run, moment, width)]
    conditions = [*condition_lines(run, glyphs, GAUGE if width >= NARROW else GAUGE // 2)]
    trust = [*_trust(run)]
    said = [line for message in moment.messages for line in wrap(message, max(width, 10))]
    messages = [Text(line, style="cyan") for line in said[-4:]]
    room = height - len(head) - len(conditions) - len(trust) - len(messages)
    if height < LOWEST:
        body = [Text("  ".join(" ".join(text.split()) for _, text in _figures(run)))]
        body += _sparklines(run, width, glyphs)
        return _fit([*head, *body, *conditions, *trust, *messages], width, height, glyphs)
    table = _levels(run.levels, max(2, room - BESIDE - LEAST_CHART - GAPS))
    spare = room - len(table) - BESIDE
    # Air is worth more than the sixth row of the chart, and less than the fifth.
    rows = min(MOST_CHART, max(spare - GAPS, min(spare, GOOD_CHART), LEAST_CHART))
    gaps = min(GAPS, max(0, spare - rows))
    blank = [Text()]
    parts = [head, _chart(run, width, rows, glyphs), table, [*conditions, *trust, *messages]]
    lines: list[Text] = []
    for i, part in enumerate(parts):
        lines += (blank if 0 < i <= gaps else []) + part
    return _fit(lines, width, height, glyphs)


def _fit(lines: Sequence[Text], width: int, height: int, glyphs: Glyphs) -> list[Text]:
    fitted = []
    for line in lines[:height]:
        line.no_wrap = True
        if line.cell_len > width:
            line.truncate(max(width - 1, 0), overflow="crop")
            line.append(glyphs.more)
        fitted.append(line)
    return fitted


def _header(run: RunSoFar, moment: Moment, width: int) -> Text:
    """The title, and on the right what is going on."""
    end_s = run.plan.end_s
    if moment.phase:
        right = f"{moment.phase}  {clock(moment.phase_s)}"
    else:
        now_s = 0.0 if run.last is None else run.last.end_s
        right = f"{clock(now_s)} of {clock(end_s)}  {min(100, int(100 * now_s / end_s))} %"
    room = max(width - len(right) - 2, 0)
    title = moment.title if len(moment.title) <= room else moment.title[: max(room - 3, 0)] + "..."
    return Text.assemble((title.ljust(room), "bold"), "  ", (right, "bold cyan"))


def _shown_curve(plan: Plan) -> tuple[TrafficCurve, str]:
    """(what the chart shows, of what): an open workload's curve is only its limit of requests in flight."""
    if plan.arrivals is None:
        return plan.curve, "users"
    steps = ((0.0, plan.arrivals.rate_per_s), *plan.arrivals.steps)
    return TrafficCurve(
        tuple(Step(at_s, max(1, round(rate))) for at_s, rate in steps), plan.arrivals.duration_s
    ), "req/s"


def _margin(plan: Plan) -> int:
    """Columns of the labels on the left."""
    return max(6, len(str(_shown_curve(plan)[0].peak)))


def _columns(plan: Plan, width: int) -> int:
    """Columns of the curve's time."""
    return max(width - _margin(plan) - 4 - FIGURES, 10)


def _chart(run: RunSoFar, width: int, rows: int, glyphs: Glyphs) -> list[Text]:
    """The curve with the place on it and the last window's figures beside it; two sparklines on the same time axis."""
    curve, of = _shown_curve(run.plan)
    margin, columns = _margin(run.plan), _columns(run.plan, width)
    now_s = 0.0 if run.last is None else run.last.end_s
    # Of `draw` the rows alone: its labels are as narrow as they can be, and its axis has seconds.
    rows_drawn = [line.partition("|") for line in draw(curve, columns, rows, now_s).splitlines()[1:-2]]
    lines = [_marked(of, _here(run, now_s / curve.end_s, columns, glyphs), margin, glyphs)]
    lines += [_marked(label.strip(), f"|{marks}", margin, glyphs) for label, _, marks in rows_drawn]
    lines += [_marked("", text, margin, glyphs) for text in _axis(curve.end_s, columns)]
    for line, (style, text) in zip(lines, _figures(run), strict=False):
        line.pad_right(max(margin + columns + 4 - line.cell_len, 0))
        line.append(text, style=style)
    return [*lines, *_sparklines(run, width, glyphs)]


def _axis(end_s: float, columns: int) -> tuple[str, str]:
    """(line, times below it): a tick at each quarter."""
    ticks = [columns * k // 4 for k in range(5)]
    line = "".join("+" if column in ticks else "-" for column in range(columns + 1))
    below = clock(0)
    for k, tick in enumerate(ticks[1:], 1):
        label = clock(end_s * k / 4)
        below = below.ljust(tick + 1 - len(label)) + label
    return line, below


def _marked(label: str, marks: str, margin: int, glyphs: Glyphs) -> Text:
    text = Text(f"{label.rjust(margin)} ", style="dim")
    shown = {"#": (glyphs.done, "cyan"), ":": (glyphs.ahead, "dim"), glyphs.here: (glyphs.here, "bold yellow")}
    is_row = marks.startswith("|")
    for mark in marks:
        found = shown.get(mark) if is_row or mark == glyphs.here else None
        text.append(*(found or (mark, "dim")))
    return text


def _here(run: RunSoFar, share: float, columns: int, glyphs: Glyphs) -> str:
    """The mark over the place where the run is, with words on the side where there is room."""
    if run.last is None or not run.last.users:
        return ""
    at = min(int(columns * share), columns - 1)
    words = "you are here"
    before = at > len(words) + 1
    return f"{words} {glyphs.here}".rjust(at + 2) if before else f"{' ' * (at + 1)}{glyphs.here} {words}"


def _figures(run: RunSoFar) -> list[tuple[str, str]]:
    """(style, text) of the last window's figures."""
    window = run.last
    if window is None:
        return []
    latency = window.latencies.judged
    rate = window.ok / window.length_s if window.length_s > 0 else 0.0
    users = f"{window.load.running} of {window.users}" if window.users else f"{window.load.running} leaving"
    if run.plan.arrivals is not None:
        users = f"{number(round(run.plan.arrivals.rate_at(window.start_s), 1))}/s open"
    rows = [
        ("bold", "users", users),
        ("", "in flight", f"{window.load.in_flight:.1f}"),
        ("bold cyan", "req/s", number(round(rate, 1))),
        ("", "p50 ms", milliseconds(latency.p50_ms)),
        ("bold", "p95 ms", milliseconds(latency.p95_ms)),
        ("", "p99 ms", milliseconds(latency.p99_ms)),
        ("bold red" if run.errors else "", "errors", f"{run.errors:,}"),
        ("", "answered", f"{run.ok:,}"),
    ]
    return [(style, f"{name:<9} {value:>11}") for style, name, value in rows]


def _sparklines(run: RunSoFar, width: int, glyphs: Glyphs) -> list[Text]:
    margin, columns = _margin(run.plan), _columns(run.plan, width)
    rates, p95s = run.track.rates_per_s(columns), run.track.p95s_ms(columns)
    threshold = run.plan.stop.latency
    limit_ms = math.inf if threshold is None or threshold.percentile != 0.95 else threshold.limit_ms
    lines = []
    for name, values, style, shown in (("req/s", rates, "cyan", number), ("p95 ms", p95s, "magenta", milliseconds)):
        top = max((value for value in values if value is not None), default=None)
        most = "" if top is None else f"highest {shown(round(top, 1)):>{FIGURES - 9}}"
        line = Text.assemble((name.rjust(margin), "dim"), "  ")
        for mark, value in zip(glyphs.sparkline(values), values, strict=True):
            line.append(mark, "red" if name == "p95 ms" and value is not None and value > limit_ms else style)
        line.pad_right(max(margin + columns + 4 - line.cell_len, 0))
        lines.append(line.append(most, style="dim"))
    return lines


def _levels(levels: Sequence[LevelSoFar], most: int) -> list[Text]:
    """The last levels, under a heading; the newest is the one that the run is in."""
    if not levels:
        return []
    heading = f"{'users':>9} {'req/s':>9} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'errors':>9}  verdict"
    lines = [Text(heading, style="dim")]
    for level in levels[-(most - 1) :]:
        p50, p95, p99 = (None if us is None else us / 1000 for us in level.latency.percentiles_us((0.5, 0.95, 0.99)))
        rate = number(round(level.ok / level.length_s, 1)) if level.length_s else "-"
        cells = [level_users(level.plan), rate, *map(milliseconds, (p50, p95, p99)), f"{level.errors:,}"]
        line = Text(" ".join(cell.rjust(9) for cell in cells), style="bold" if level is levels[-1] else "")
        lines.append(line.append(f"  {level.verdict or '-'}", style=STYLES.get(level.verdict, "dim")))
    return lines


def _trust(run: RunSoFar) -> Iterator[Text]:
    if run.last is None:
        return
    trust = run.trust.trust
    if trust.valid:
        yield Text.assemble(("trust".ljust(9), "dim"), ("VALID", "green"))
    for reason in trust.reasons[:2]:
        yield Text.assemble(("trust".ljust(9), "dim"), ("INVALID", "bold red"), f" {reason.text}")
        yield Text(f"{'':9}{reason.advice}", style="dim")

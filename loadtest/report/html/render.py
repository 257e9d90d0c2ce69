"""A page as HTML: everything that is not ours is escaped, nothing is loaded, and the page says so itself.

The content policy allows the page's own two scripts by their digests and nothing else: text of a job, an endpoint or a
worker cannot run even if it were to get through the escaping, and nothing can be fetched or sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from loadtest.core.measure.window import Window
from loadtest.core.plain import plain
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.report.html.chart import Chart
from loadtest.report.html.library import NoLibrary, script
from loadtest.report.html.live import live_charts
from loadtest.report.html.page import PARTS, TITLES, Page, page_of
from loadtest.report.html.palette import color
from loadtest.report.html.sofar import section_so_far
from loadtest.version import VERSION

__all__ = ["render", "render_jobs", "render_live", "render_so_far", "write_page", "write_report"]

LIVE_TILES = (
    ("at", "Time", ""),
    ("users", "Users", "running"),
    ("rate", "Rate", "successes a second"),
    ("p95", "P95", "of the last window"),
    ("ok", "Successes", "so far"),
    ("errors", "Errors", "none"),
    ("cpu", "Generator", "of a core"),
)


def write_report(
    path: str | os.PathLike[str], results: Sequence[RunResult], created_at: float = 0.0, **job: Any
) -> str:
    """Write the page of `results` in place of an earlier one, whole or not at all.

    "", or why it has no charts and what helps. job: as for `page_of`. Raises OSError.
    """
    return write_page(path, page_of(results, created_at, **job))


def write_page(path: str | os.PathLike[str], page: Page) -> str:
    """Write `page` in place of an earlier file, whole or not at all.

    "", or why it has no charts and what helps. Raises OSError.
    """
    html, why = render(page)
    target = Path(path)
    temporary = target.with_name(f".{target.name}")
    try:
        temporary.write_text(html, encoding="utf-8")
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return why


def render(page: Page) -> tuple[str, str]:
    """(the HTML, "" or why it has no charts)."""
    library, why = _library()
    ours = _inline(_asset("page.js") + _asset("page_start.js"))
    html = _template("page.html").render(
        page=page,
        title=page.title,
        kind=page.kind,
        version=VERSION,
        policy=_policy(library, ours),
        style=_asset("page.css"),
        library=library,
        script=ours,
        why=why,
        data=_data([[test.key, test.charts] for test in page.sections] + ([["", page.job.charts]] if page.job else [])),
    )
    return html, why


def render_jobs(
    title: str,
    rows: Sequence[Mapping[str, str]],
    status: str = "",
    why: str = "",
    more: Sequence[tuple[str, str]] = (),
) -> str:
    """The HTML of a list of jobs, or of one job's tests. rows: name, href ("": no link), kind, status. more: links."""
    ours = _inline(_asset("jobs.js"))
    return _template("jobs.html").render(
        title=title,
        kind="",
        version=VERSION,
        policy=_policy(ours, more="connect-src 'self'"),
        style=_asset("page.css"),
        script=ours,
        rows=rows,
        status=status,
        why=why,
        more=more,
    )


def render_live(plan: Plan, title: str, *, stop: bool = True) -> tuple[str, str]:
    """(the HTML of a run that goes on, "" or why it has no charts). Its data come from where it comes from.

    stop: it has a button for that.
    """
    library, why = _library()
    ours = _inline(_asset("page.js") + _asset("live.js"))
    charts = live_charts(plan)
    html = _template("live.html").render(
        title=title,
        kind="live",
        version=VERSION,
        policy=_policy(library, ours, more="connect-src 'self'"),
        style=_asset("page.css"),
        stop=stop,
        library=library,
        script=ours,
        why=why,
        charts=charts if library else [],
        parts_of_page=PARTS,
        tiles=LIVE_TILES,
        data=_data([["", charts if library else []]]),
    )
    return html, why


def render_so_far(plan: Plan, windows: Sequence[Window], about: Mapping[str, Any]) -> str:
    """JSON of what `section_so_far` has, for the live page: its HTML by `data-part`, and the data of its charts."""
    library, _ = _library()
    section = section_so_far(plan, windows, about, [chart.name for chart in live_charts(plan)])
    html = _template("sofar.html").render(test=section, titles=TITLES, library=library)
    return json.dumps({"html": html, "groups": _data([[section.key, section.charts]]), "windows": len(windows)})


def _library() -> tuple[str, str]:
    """(the chart library, "" or why there is none)."""
    try:
        return _inline(script()), ""
    except NoLibrary as problem:
        return "", str(problem)


def _policy(*scripts: str, more: str = "") -> str:
    """What the page may do: run these scripts, and `more`."""
    allowed = " ".join(_digest(script) for script in scripts if script)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return f"{policy}; {more}" if more else policy


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"tone": color, "look": _look, "value": _value}
    return environment.get_template(name)


def _asset(name: str) -> str:
    return files("loadtest.report.html").joinpath(name).read_text(encoding="utf-8")


def _look(look: str) -> str:
    """CSS classes of a terminal's style."""
    return " ".join(f"s-{word}" for word in re.findall(r"[a-z]+", look) if word != "on")


def _value(value: Any) -> str:
    """A figure as summary.json has it."""
    return json.dumps(plain(value))


def _inline(source: str) -> str:
    """A script that may stand in a page: what would end it, or begin a comment, is written otherwise."""
    return re.sub(r"<(?=/script|script|!--)", r"\\x3C", source, flags=re.IGNORECASE)


def _digest(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _data(groups: Sequence[Any]) -> str:
    """Charts and their data as JSON that cannot end its element."""
    shown = []
    for key, charts in groups:
        data: dict[str, Any] = {}
        for chart in charts:
            data |= chart.data
        shown.append({"key": key, "data": data, "charts": [_chart(chart) for chart in charts]})
    text = json.dumps(plain(shown), separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("\u2028", "\\u2028")


def _chart(chart: Chart) -> dict[str, Any]:
    return {"name": chart.name, "spec": chart.spec, "x": chart.x, "timed": chart.timed, "title": chart.title}

"""What a page says, without a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from rich.console import Console

import loadtest.api as api
import loadtest.report.html.buckets as pieces
from loadtest.cli.run import command as run_command
from loadtest.cli.run import plan_of
from loadtest.core.judge.decision import Reason
from loadtest.core.measure.counters import merged
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import RunOptions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import TargetRef, open_plan
from loadtest.report.html import library
from loadtest.report.html.buckets import buckets, coarser, histogram_of
from loadtest.report.html.fronts import pareto
from loadtest.report.html.happenings import happenings
from loadtest.report.html.heat import HEAT_COLUMNS, heat_cells
from loadtest.report.html.page import page_of
from loadtest.report.html.pictures import write_pictures
from loadtest.report.html.render import render, write_report
from loadtest.report.html.repeat import command_line
from loadtest.report.html.sentences import sentences
from loadtest.report.terminal import closing, headline


def test_windows_joined_for_a_line_lose_nothing(windows: list[Window]) -> None:
    each, found = buckets(windows, 50)
    assert (each, len(found)) == (3, 41)
    assert sum(b.counts.ok for b in found) == sum(w.ok for w in windows)
    assert sum(b.counts.failed for b in found) == sum(w.failed for w in windows)
    exact = merged(w.latencies.client.encoded for w in windows[3:6])
    assert found[1].latency.p95_ms == (exact.percentile_us(0.95) or 0) / 1000
    assert found[1].active == pytest.approx(np.mean([w.load.active for w in windows[3:6]]))
    whole = buckets(windows)[1]
    assert [b.latency.p99_ms for b in whole] == [w.latencies.judged.p99_ms for w in windows], "a window alone is itself"


@pytest.mark.parametrize("most", [1, 7, 50, 600])
def test_coarser_buckets_are_as_exact_as_finer_ones(windows: list[Window], most: int) -> None:
    found = buckets(windows, most)[1]
    joined = coarser(found, 5)
    assert len(joined) <= 5
    assert sum(b.windows for b in joined) == len(windows)
    assert (joined[0].start_s, joined[-1].end_s) == (windows[0].start_s, windows[-1].end_s)
    assert sum(b.counts.failed for b in joined) == sum(w.failed for w in windows)
    exact = merged(w.latencies.client.encoded for w in windows)
    assert (histogram_of(joined).counts == exact.counts).all()
    first = windows[: joined[0].windows]
    assert (
        joined[0].latency.p99_ms == (merged(w.latencies.client.encoded for w in first).percentile_us(0.99) or 0) / 1000
    )
    assert joined[0].active == pytest.approx(np.mean([w.load.active for w in first]))


def test_every_histogram_is_decoded_once_for_what_is_drawn_over_time(
    finish: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = finish()
    many = tuple(
        replace(w, span=replace(w.span, index=i, start_s=float(i), end_s=i + 1.0, level=None))
        for i, w in enumerate(result.windows * 12)
    )
    decoded = []
    monkeypatch.setattr(pieces, "merged", lambda encoded: merged(each for each in encoded if not decoded.append(each)))
    page_of([replace(result, windows=many)])
    assert len(decoded) == len(many)


def test_the_heat_map_has_every_success_once(windows: list[Window]) -> None:
    cells = heat_cells(coarser(buckets(windows)[1], HEAT_COLUMNS))
    assert sum(cell.n for cell in cells) == sum(w.ok for w in windows)
    for start_s in {cell.start_s for cell in cells}:
        assert sum(c.share for c in cells if c.start_s == start_s) == pytest.approx(1)
    assert heat_cells([]) == []


def test_events_are_those_of_the_controller_and_the_end_is_the_results(finish: Callable[..., RunResult]) -> None:
    found = happenings(finish(Reason.USER, stopped_at_s=31.0))
    assert [each.at_s for each in found] == sorted(each.at_s for each in found)
    assert found[-1].sentence == "Stopped: it was stopped on request (USER)"
    assert any(each.kind == "verdict" and "level 0 (2 users)" in each.sentence for each in found)
    assert not any(each.at_s > 31.0 for each in found)


def test_a_lost_worker_is_an_event(finish: Callable[..., RunResult]) -> None:
    result = finish()
    windows = [replace(w, health=replace(w.health, lost_workers=int(w.index >= 60))) for w in result.windows]
    lost = [each for each in happenings(replace(result, windows=tuple(windows))) if each.kind == "lost"]
    assert [(each.at_s, each.sentence.split(";")[0]) for each in lost] == [(61.0, "Lost: 1 generator process")]


def test_the_words_are_the_terminals(result: RunResult) -> None:
    console = Console(width=10_000, color_system=None)
    for parts in (headline(result), closing(result)):
        with console.capture() as captured:
            console.print(*parts, sep="\n")
        printed = [line.strip() for line in captured.get().splitlines() if line.strip()]
        assert [each.text.strip() for each in sentences(parts) if each.text.strip()] == printed


def test_a_page_has_seven_things_in_their_order(finish: Callable[..., RunResult]) -> None:
    one = page_of([finish()]).sections[0]
    assert [part.name for part in one.parts] == ["users", "time", "spread", "levels", "trust", "job"]
    names = [chart.name for chart in one.charts]
    expected = ["scaling", "latency-users", "in-flight-users", "users", "throughput", "errors", "latency", "heat"]
    assert names == [*expected, "distribution", "lateness", "cpu", "loop-lag"]
    for chart in one.charts:
        assert chart.text, chart.name
        assert chart.table.rows, chart.name
        assert all(len(row) == len(chart.table.head) for row in chart.table.rows), chart.name
    both = page_of([finish(), finish()])
    assert both.job is not None


def test_names_of_upright_lines_are_not_written_over_each_other(finish: Callable[..., RunResult]) -> None:
    scaling = page_of([finish(evidence={"knee_users": 4})]).sections[0].charts[0]
    names = [layer["mark"]["dy"] for layer in scaling.spec["layer"] if layer["mark"].get("type") == "text"]
    assert names
    assert len(set(names)) == len(names)


def test_charts_of_other_kinds(stored: Callable[[str], RunResult]) -> None:
    names = {kind: [c.name for c in page_of([stored(kind)]).sections[0].charts] for kind in ("open", "streamed")}
    assert "scaling" not in names["open"]
    assert "in-flight" in names["open"]
    assert "streaming" in names["streamed"]


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(),
        RunOptions(seed=7, window_s=0.5, drain_s=3, stairs_duration="per-step", max_error_ratio=0.5),
        RunOptions(spawn="per-minute", latency_clock="client", rate_window_s=10),
    ],
)
@pytest.mark.parametrize("arrivals", [None, Arrivals(12.5, 30.0, "poisson", 7)])
def test_the_command_runs_the_same_plan(
    finish: Callable[..., RunResult], tmp_path: Path, options: RunOptions, arrivals: Arrivals | None
) -> None:
    result = finish()
    job = tmp_path / "job.json"
    job.write_text(json.dumps({name: value for name, value in (result.job or {}).items() if name != "OutputConfig"}))
    base = ["run", str(job), "--target", "sagemaker:a-b", "--region", "eu-west-1", "--read-timeout", "9s", "--stream"]
    flags = [
        flag
        for name in options.__slots__
        if getattr(options, name) != getattr(RunOptions(), name)
        for flag in _flag(name, options)
    ]
    first = _parsed([*base, *flags])
    plan = first if arrivals is None else open_plan(first, replace(arrivals, seed=options.seed))
    assert plan.target == TargetRef("sagemaker:a-b", {"region": "eu-west-1", "read_timeout_s": 9.0, "stream": True})
    line = command_line(replace(result, plan=plan))
    assert line.startswith("loadtest run job.json --target sagemaker:a-b")
    again = _parsed([word if word != "job.json" else str(job) for word in line.split()[1:]])
    assert again.digest() == plan.digest()


def _flag(name: str, options: RunOptions) -> list[str]:
    value = getattr(options, name)
    return [f"--{name.removesuffix('_s').replace('_', '-')}", f"{value}s" if name.endswith("_s") else str(value)]


def _parsed(words: list[str]):  # type: ignore[no-untyped-def]
    context = run_command.make_context("run", words[1:], resilient_parsing=False)
    with context:
        given = {**context.params}
        return plan_of(api.read_job(given.pop("file"), profile=given.pop("profile")), given)


def test_a_header_that_is_not_kept_is_named_only(finish: Callable[..., RunResult]) -> None:
    result = finish()
    plan = replace(result.plan, target=TargetRef("sagemaker:a", {"custom_attributes": "tenant=zq81"}))
    assert command_line(replace(result, plan=plan)).endswith("  # and --custom-attributes: given, and not kept")


def test_the_front_is_what_nothing_beats() -> None:
    assert pareto([(1, 9), (2, 5), (3, 6), (4, 1), (4, 1)]) == [True, True, False, True, True]


def test_without_the_library_the_tables_are_there(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    why = write_report(tmp_path / "report.html", [result])
    html = (tmp_path / "report.html").read_text()
    assert "pip install 'loadtest[report]'" in why
    assert "loadtest[report]" in html
    assert html.count("<table>") > 10
    assert 'class="plot"' not in html
    with pytest.raises(library.NoLibrary):
        write_pictures(tmp_path, page_of([result]))


class _Fake:
    """A bundler that counts what it is asked for."""

    __version__ = "1"
    made = 0

    get_vega_version = get_vega_embed_version = staticmethod(lambda: "1")
    get_vegalite_versions = staticmethod(lambda: ["1", "2"])

    @classmethod
    def javascript_bundle(cls, snippet: str) -> str:
        cls.made += 1
        return f"</script>{snippet}"


def test_the_library_is_made_once(result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "vl_convert", _Fake)
    _Fake.made = 0
    first, second = library.script(), library.script()
    assert first == second
    assert _Fake.made == 1
    kept = next((tmp_path / "loadtest").iterdir())
    kept.write_text("cut off")
    assert library.script() == first, "what is not whole is made again"
    assert _Fake.made == 2
    html, _ = render(page_of([result]))
    assert html.count("</script>") == 3, "a script cannot end its element"
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))  # a file: nothing can be kept
    assert library.script() == first


@pytest.mark.slow
@pytest.mark.live
def test_every_chart_is_a_picture(
    finish: Callable[..., RunResult], stored: Callable[[str], RunResult], tmp_path: Path
) -> None:
    for name, result in (("all", finish()), ("open", stored("open")), ("streamed", stored("streamed"))):
        page = page_of([result])
        written = write_pictures(tmp_path / name, page, "x-")
        assert [path.name for path in written] == [f"x-{chart.name}.png" for chart in page.sections[0].charts]
        for path in written:
            assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n"), path
            assert path.stat().st_size > 5000, path


def test_a_long_run_says_how_it_is_drawn(finish: Callable[..., RunResult]) -> None:
    result = finish()
    many = tuple(
        replace(w, span=replace(w.span, index=i, start_s=float(i), end_s=i + 1.0, level=None))
        for i, w in enumerate(result.windows * 12)
    )
    time = page_of([replace(result, windows=many)]).sections[0].parts[1]
    assert re.match(r"1,452 windows drawn as 484 points: each joins 3 windows, 3 s, with exact sums", time.lead)
    assert len(time.charts[0].data["time"]["t"]) == 484


def test_verbs_start_without_it() -> None:
    code = "import sys; import loadtest.cli.run, loadtest.cli.report; print([m for m in sys.modules if 'report.html' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_flags_are_documented() -> None:
    with click.Context(run_command) as context:
        assert "--no-report" in run_command.get_help(context)

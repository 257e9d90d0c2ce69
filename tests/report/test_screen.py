"""The screen of a run: what it says, and that it fits whatever the terminal's size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.text import Text
from windows import changed, flat_window

from loadtest.core.judge.control import Controller
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import Plan, open_plan
from loadtest.report.conditions import condition_lines
from loadtest.report.glyphs import ASCII, BLOCKS, glyphs_of
from loadtest.report.screen import Moment, screen_lines
from loadtest.report.sofar import RunSoFar, Track


def seen(plan: Plan, windows: list[Window]) -> RunSoFar:
    """The windows with what a controller says of each."""
    run, controller = RunSoFar(plan), Controller(plan)
    for window in windows:
        controller.observe(window)
        run.observe(window, controller.progress())
    return run


def shown(run: RunSoFar, width: int = 80, height: int = 24, **moment: Any) -> list[str]:
    lines = screen_lines(run, Moment("bert-nightly  mock:servers=4", **moment), width, height, ASCII)
    return [line.plain.rstrip() for line in lines]


@pytest.fixture(scope="module")
def half(plan: Plan, windows: list[Window]) -> RunSoFar:
    return seen(plan, [changed(window, in_flight=window.load.active) for window in windows[:60]])


def test_one_screen_of_80_columns(half: RunSoFar) -> None:
    assert shown(half) == SCREEN.strip("\n").split("\n")


SCREEN = """
bert-nightly  mock:servers=4                                  1:00 of 2:00  50 %

 users             you are here v                         users          4 of 4
     6 |                                ::::::::::::::::  in flight         4.0
     5 |                                                  req/s              80
     4 |                ########::::::::                  p50 ms           22.0
     3 |                                                  p95 ms           24.0
     2 |################                                  p99 ms           24.0
     1 |                                                  errors              6
       +-----------+-----------+-----------+-----------+  answered        3,200
       0:00     0:30        1:00        1:30        2:00
 req/s  ++++++++++++++++@@@@@@@@                          highest            80
p95 ms  @@@@@@@@@@@@@@@@@@@@@@@@                          highest          24.0

    users     req/s    p50 ms    p95 ms    p99 ms    errors  verdict
        2        40      22.0      24.0      24.0         4  met
        4        80      22.0      24.0      24.0         2  met

rate     ======--------------  32.0 % of 10,000 invocations/min
P95      =-------------------  0.12 % over 100 ms, 5.0 % may be: met
flat     --------------------  2 levels measured, 3 are needed
trust    VALID
"""


@pytest.mark.parametrize("width", [1, 7, 20, 40, 79, 80, 81, 120, 300])
@pytest.mark.parametrize("height", [1, 3, 10, 13, 14, 20, 24, 30, 80])
def test_it_fits_any_terminal(plan: Plan, windows: list[Window], half: RunSoFar, width: int, height: int) -> None:
    for run in (RunSoFar(plan), half, seen(plan, windows)):
        for messages in ((), ("waiting for 4 workers; on each machine: loadtest worker --master-host h",) * 9):
            lines = screen_lines(run, Moment("t" * 200, messages=messages), width, height, BLOCKS)
            assert len(lines) <= height
            assert max(line.cell_len for line in lines) <= width


def test_what_was_said_is_wrapped_and_not_cut(half: RunSoFar) -> None:
    text = "waiting for 2 workers; on each machine: loadtest worker --master-host build-17.example --master-port 5557"
    lines = shown(half, messages=["first", text])
    assert " ".join(lines[-2:]) == text


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_mark_is_where_the_curve_and_the_sparkline_end(plan: Plan, windows: list[Window], width: int) -> None:
    for i in range(1, 120, 23):
        run = seen(plan, windows[:i])
        lines = shown(run, width, 30)
        here = lines[2].index("v")
        assert "you are here" in lines[2]
        marks = [line[: width - 24].rstrip() for line in lines[3:9] if "|" in line]
        last = max(len(line.rstrip(":").rstrip()) for line in marks if "#" in line)
        rates = next(line for line in lines if line.startswith(" req/s"))[: width - 24].rstrip()
        assert abs(last - 1 - here) <= 1
        assert abs(len(rates) - 1 - here) <= 1


def test_an_open_workload_shows_its_rate(plan: Plan, windows: list[Window]) -> None:
    opened = open_plan(plan, Arrivals(40.0, 120.0))
    lines = shown(seen(opened, windows[:10]))
    assert any("40/s open" in line for line in lines)
    assert any(line.lstrip().startswith("req/s") and "you are here" in line for line in lines)


def conditions(plan: Plan, progress: dict[str, Any], **window: Any) -> dict[str, str]:
    run = RunSoFar(plan)
    run.observe(flat_window(users=2, running=2, **window), progress)
    lines = [line.plain.rstrip() for line in condition_lines(run, ASCII, 10)]
    return {line[:9].strip(): line[9:] for line in lines}


def test_a_gauge_for_each_condition_that_there_is(plan: Plan) -> None:
    whole = replace(plan, stop=replace(plan.stop, max_error_ratio=0.01), limit_s=60.0)
    progress = {
        "max_invocations": 0.4,
        "latency": {"over_share": 0.02, "allowed_share": 0.05, "requests": 100, "verdict": "met"},
        "flat": {"levels": 3, "withheld": False, "gain_share": 0.55},
        "errors": 0.25,
    }
    assert conditions(whole, progress, ok=1) == {
        "time": "=---------  of the job's 1 min",
        "rate": "====------  40.0 % of 10,000 invocations/min",
        "P95": "====------  2.0 % over 100 ms, 5.0 % may be: met",
        "flat": "=====-----  added users bring 55 % of the first; 10 % is flat",
        "errors": "==--------  25.0 % of the budget of 1.0 % failures",
    }
    assert conditions(replace(plan, stop=StopConditions(flat_stops=False)), {}, ok=1) == {}


@pytest.mark.parametrize(
    ("flat", "words"),
    [
        ({"levels": 1, "withheld": False, "gain_share": None}, "----------  1 level measured, 3 are needed"),
        ({"levels": 9, "withheld": True, "gain_share": 0.0}, "==========  withheld: the generator is the limit"),
        (
            {"levels": 9, "withheld": False, "gain_share": -0.2},
            "==========  added users bring 0 % of the first; 10 % is flat",
        ),
        (
            {"levels": 9, "withheld": False, "gain_share": 1.4},
            "----------  added users bring 140 % of the first; 10 % is flat",
        ),
    ],
)
def test_flat(plan: Plan, flat: dict[str, Any], words: str) -> None:
    assert conditions(plan, {"flat": flat}, ok=1)["flat"] == words


def test_silence_shows_when_there_is_some(plan: Plan) -> None:
    assert "silence" not in conditions(plan, {}, ok=1)
    words = conditions(plan, {}, end_s=12.0, errors={"timeout": 3})["silence"]
    assert words == "====------  no success for 12 s; 30 s of failures end the run"


def test_trust_and_its_reasons_come_as_they_arise(plan: Plan, windows: list[Window]) -> None:
    steady = [changed(window, in_flight=window.load.active) for window in windows[:5]]
    tired = [changed(window, cpu=0.97) for window in steady]
    good, bad = shown(seen(plan, steady)), shown(seen(plan, tired))
    assert good[-1] == "trust    VALID"
    assert any(line.startswith("trust    INVALID the generator used 97% of one core") for line in bad)
    assert any("--workers 2" in line for line in bad), "and what helps"


def test_a_track_keeps_every_request_and_the_worst_p95() -> None:
    track = Track(100.0)
    for k in range(40):
        track.add(flat_window(k, 2.5 * k, 2.5 * (k + 1), ok=10, p95_ms=float(k)))
    track.add(flat_window(40, 100.0, 102.5, ok=99, p95_ms=999.0))  # the draining is not on the curve
    for columns in (1, 7, 40, 600):
        rates = track.rates_per_s(columns)
        assert len(rates) == columns
        assert rates == pytest.approx([4.0] * columns)
        assert max(track.p95s_ms(columns)) == 39.0
    assert Track(10.0).rates_per_s(5) == [None] * 5


def test_blocks_where_they_can_be_shown() -> None:
    assert glyphs_of("utf-8") is BLOCKS
    assert glyphs_of("ascii") is glyphs_of("latin-1") is glyphs_of("no-such") is ASCII
    assert ASCII.sparkline([None, 0.0, 0.5, 1.0]) == " _+@"
    assert ASCII.gauge(0.001, 10) == ("=", "-" * 9), "what is not nothing shows"
    assert ASCII.gauge(7.0, 4) == ("====", "")
    assert Text(BLOCKS.sparkline([1.0])).cell_len == 1

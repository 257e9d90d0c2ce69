"""Spells and cold starts on a terminal, and in summary.json."""

from __future__ import annotations

from dataclasses import replace

from loadtest.core.judge.slow import SlowRequests, Spell
from loadtest.report.slow import slow_lines
from loadtest.report.summary import summary_of

SLOW = SlowRequests(
    6000, 280, 2, 280, 3.0, 4.0, Spell(80.0, 4.0, 200, 180, 1, 150.0), (Spell(0.0, 3.0, 150, 150, 0, 900.0),)
)


def test_what_is_said(finish) -> None:
    lines = [line.plain for line in slow_lines(replace(finish(), slow=SLOW))]
    assert lines == [
        "  Cold start of the run: 3 s from 0 s on, 100 % over the limit, P95 900.0 ms; judged apart",
        "  Slow requests came together: 100 % of them in 2 spells of 3 s on average",
        "  In the worst spell the threshold was not met: 4 s from 1 min 20 s on, 90.0 % over the limit, P95 150.0 ms",
    ]


def test_a_scale_out_is_told(finish) -> None:
    scaled = replace(SLOW, scale_outs=(Spell(80.0, 4.0, 200, 180, 1, 150.0),))
    lines = [line.plain for line in slow_lines(replace(finish(), slow=scaled))]
    assert lines[1] == "  When the endpoint scaled out: 4 s from 1 min 20 s on, 90.0 % over the limit, P95 150.0 ms"


def test_a_spell_of_the_generator_s_making_is_not_held_against_the_endpoint(finish) -> None:
    result = replace(finish(), slow=SLOW)
    lines = [line.plain for line in slow_lines(replace(result, trust=replace(result.trust, client_limited=True)))]
    assert not any("not met" in line for line in lines)
    assert "nothing is said of the endpoint" in lines[-1]


def test_nothing_is_said_where_they_came_alone(finish) -> None:
    alone = replace(SLOW, spells=1, spell_over=20, cold_starts=())
    assert list(slow_lines(replace(finish(), slow=alone))) == []
    assert list(slow_lines(replace(finish(), slow=None))) == []


def test_scripts_read_it_in_the_summary(finish) -> None:
    summary = summary_of(replace(finish(), slow=SLOW))
    assert summary["slow"]["worst"]["over"] == 180
    assert summary["slow"]["cold_starts"][0]["length_s"] == 3.0
    assert summary_of(replace(finish(), slow=None))["slow"] is None


def test_a_run_without_a_success_was_not_slow(finish) -> None:
    result = finish()
    totals = replace(result.totals, counts=replace(result.totals.counts, ok=0))
    assert list(slow_lines(replace(result, slow=SLOW, totals=totals))) == []

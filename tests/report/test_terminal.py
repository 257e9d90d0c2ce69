"""What a terminal shows: the content, in order and whole, at 80 and 120 columns."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console
from windows import changed, changed_level

from loadtest.core.judge.decision import REASONS, Reason
from loadtest.core.judge.verdict import LatencyVerdict, Trust
from loadtest.core.measure.worker import Worker
from loadtest.core.request.spec import StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.report.terminal import summary

WIDTHS = pytest.mark.parametrize("width", [80, 120])
NOT_MET = LatencyVerdict("not met", 0.95, 100, "client", 2, 4800, 480, 4000.0, 130.5, 142.25, "gross breach", 84.0)


def shown(result: RunResult, width: int = 120, folder: str | None = None, **console: object) -> str:
    out = io.StringIO()
    Console(file=out, width=width, **console).print(summary(result, folder))  # type: ignore[arg-type]
    return out.getvalue()


def in_order(text: str, *parts: str) -> bool:
    """Every part occurs, each after the one before; line breaks count as spaces."""
    flat, at = " ".join(text.split()), 0
    for part in parts:
        found = flat.find(part, at)
        assert found >= 0, f"{part!r} is not in what follows: {flat[at:]!r}"
        at = found + len(part)
    return True


@WIDTHS
def test_the_verdict_comes_first_and_the_folder_last(result: RunResult, width: int) -> None:
    folder = "/tmp/runs/20251009T085320Z-bert-nightly"
    assert in_order(
        shown(result, width, folder),
        "ml.c5.xlarge",
        "MET P95 of latency at most 100 ms (client clock)",
        "13 of 9,612 requests over it or failed (0.14 %); P95 within 23.9 .. 24.1 ms (95 % confidence)",
        "by every level met",
        "Ended after 2 min: the traffic pattern ran to its end (CURVE_END)",
        "Best rate 6,400 invocations/min at 6 users",
        "Latency P95 at that rate 24.0 ms, client clock, an upper bound of the model's own",
        "Closed workload, 6 users; 9,600 ok, 13 errors",
        "Schedule kept: users started 3.5 ms late on average, 6.0 ms at most",
        "users flight req/s errors ms ms ms client clock verdict",
        "2 1.0 40 4 22.0 24.0 24.0 23.9 .. 24.1 met",
        "4 1.9 80 4 22.0 24.0 24.0 23.9 .. ? undecided",
        "6",
        "Errors: 0.14 % of requests failed: 13 x timeout read",
        "Trust: VALID",
        f"Results: {folder}",
    )


@WIDTHS
def test_no_line_is_wider_and_no_cell_is_cut(result: RunResult, width: int) -> None:
    text = shown(result, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "..." not in text


def test_a_long_path_is_shown_whole(result: RunResult) -> None:
    folder = "/tmp/" + "x" * 120
    assert folder in "".join(shown(result, 80, folder).split())


@WIDTHS
def test_a_threshold_that_was_not_met(finish: Callable[..., RunResult], width: int) -> None:
    evidence = {"n": 4800, "over": 480, "limit_ms": 100}
    result = finish(Reason.LATENCY, evidence, overall=NOT_MET, verdicts=[NOT_MET], stopped_at_s=84.0)
    assert in_order(
        shown(result, width),
        "NOT MET P95 of latency at most 100 ms",
        "480 of 4,800 requests over it or failed (10.0 %); P95 within 130.5 .. 142.2 ms",
        "by gross breach at level 2 after 1 min 24 s",
        "Ended after 1 min 24 s: too many requests were over the latency threshold, or failed (LATENCY)",
        "n 4,800, over 480, limit 100 ms",
        "Latency P95 at that rate 24.0 ms, client clock, an upper bound of the model's own (24.0 .. 24.0 ms, 95 %); the API reports",
        "not met",
    )


@WIDTHS
def test_what_makes_it_doubtful_is_said_with_advice(
    finish: Callable[..., RunResult], limited: Trust, width: int
) -> None:
    result = finish(trust=limited, not_run=("ml.c5.large", "ml.m5.large"), problems=["the disk is full"])
    assert in_order(
        shown(result, width),
        "Trust: INVALID, the load generator set the pace",
        "- cpu: the generator used 97 % of its core in 12 of 30 windows; use more workers or a larger machine",
        "Warning: the disk is full",
        "Warning: over the job's own limit of tests, run nowhere: ml.c5.large, ml.m5.large",
    )


def test_a_target_that_falls_silent_is_named(result: RunResult) -> None:
    silent = [changed(w, ok=0, max_ms=None) if w.index >= 100 else w for w in result.windows]
    text = shown(replace(result, windows=tuple(silent)))
    assert in_order(text, "Warning: no request succeeded from 1 min 40 s to 2 min, to the end")
    assert "no request succeeded" not in shown(result)


def test_an_end_at_once_says_what_is_missing(finish: Callable[..., RunResult]) -> None:
    text = shown(finish(Reason.USER, {"at_once": True}))
    assert in_order(text, "Warning: ended at once: what was sent after 2 min 1 s is not in the result")


def test_an_estimate_is_called_one(result: RunResult) -> None:
    assert result.best is not None
    short = replace(result, best=replace(result.best, estimated=True))
    assert "at 6 users, an estimate from less than a full minute" in shown(short)
    assert "estimate" not in shown(result)


def test_without_a_rate_none_is_claimed(result: RunResult) -> None:
    text = shown(replace(result, best=None))
    assert "No rate of invocations held the conditions" in text
    assert "Best rate" not in text


def test_without_a_threshold_nothing_is_judged(result: RunResult, plan: Plan) -> None:
    free = replace(result, plan=replace(plan, stop=StopConditions()), verdicts=(), overall=None)
    text = shown(free, 80)
    assert in_order(text, "DONE no latency threshold was asked for", "Ended after")
    assert "verdict" not in text
    assert "interval" not in text


def test_a_threshold_without_a_measurement_is_undecided(finish: Callable[..., RunResult]) -> None:
    text = shown(finish(Reason.USER, overall=None, verdicts=()))
    assert in_order(text, "UNDECIDED", "nothing was measured against it")


def test_the_workers_of_a_distributed_run(finish: Callable[..., RunResult]) -> None:
    workers = (Worker(0, "a", -0.0042, 0.0001), Worker(1, "b", 0.001, 0.0023), Worker(2, "b", 0.0, 0.0001))
    text = shown(replace(finish(), workers=workers))
    assert "3 workers on 2 hosts, their clocks at most 4.2 ms from the master's (known to 2.3 ms)" in text
    assert "worker" not in shown(finish())


def test_an_undecided_threshold_says_what_would_decide_it(finish: Callable[..., RunResult]) -> None:
    verdict = replace(
        NOT_MET, answer="undecided", rule="too few samples", decided_at_s=None, high_ms=None, more_requests=1200
    )
    text = shown(finish(overall=verdict), 80)
    assert in_order(
        text, "UNDECIDED", "130.5 .. ? ms", "; too few samples", "about 1,200 more requests would decide it"
    )


@pytest.mark.parametrize("reason", [reason for reason in Reason if REASONS[reason].exit_code == 1])
def test_a_failed_run_says_so_before_anything_else(finish: Callable[..., RunResult], reason: Reason) -> None:
    text = shown(finish(reason, label="", log_tail=["Traceback", "[boom]"]))
    assert text.startswith(f" FAILED  {REASONS[reason].sentence}")
    assert in_order(text, "The generator's last lines:", "Traceback", "[boom]")


def test_a_long_ramp_shows_its_ends(result: RunResult) -> None:
    (level, *_) = result.levels
    many = tuple(changed_level(level, level=i, users=i + 1, from_users=i) for i in range(60))
    text = shown(replace(result, levels=many, verdicts=()))
    rows = [users for line in text.splitlines() for users in line.split()[:1] if re.fullmatch(r"\d+-\d+", users)]
    assert rows[:4] == ["0-1", "1-2", "2-3", "3-4"]
    assert rows[-1] == "59-60"
    assert "(36 more)" in text
    assert len(rows) == 24


def test_the_words_are_ascii_and_so_is_the_frame_where_it_must_be(result: RunResult) -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as out:
        Console(file=out, width=80).print(summary(result, "/tmp/x"))
        out.flush()
        assert raw.getvalue().isascii()


def test_no_color_is_obeyed(result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    colored = shown(result, force_terminal=True, color_system="standard")
    assert "\x1b[1;32mMET" in colored
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    plain = shown(result, force_terminal=True, color_system="standard")
    assert "\x1b[1;32m" not in plain
    assert "32m" not in plain


def test_markup_in_a_name_is_only_text(finish: Callable[..., RunResult]) -> None:
    assert "[red]x[/red]" in shown(finish(label="[red]x[/red]", problems=["[/nope]"]))

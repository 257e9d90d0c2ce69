"""Traffic in a few characters: what each text means, and every fault at once with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.jobfile.duration import seconds_of
from loadtest.jobfile.shorthand import limit_ms_of, phases_of, stairs_of


def _stairs(users: int, steps: int, length_s: int) -> dict:
    return {"DurationInSeconds": length_s, "NumberOfSteps": steps, "UsersPerStep": users}


def _phase(users: int, rate: int, length_s: int) -> dict:
    return {"InitialNumberOfUsers": users, "SpawnRate": rate, "DurationInSeconds": length_s}


@pytest.mark.parametrize(
    ("text", "stairs"),
    [
        ("2x5/10m", _stairs(2, 5, 600)),
        (" 2 x 5 / 10m ", _stairs(2, 5, 600)),
        ("1x1/1s", _stairs(1, 1, 1)),
        ("3x10/1h30m", _stairs(3, 10, 5400)),
        ("3x10/0.5m", _stairs(3, 10, 30)),
        ("1x2/2000ms", _stairs(1, 2, 2)),
    ],
)
def test_stairs(text: str, stairs: dict) -> None:
    assert stairs_of(text) == ({"TrafficType": "STAIRS", "Stairs": stairs}, [])


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("1+3/120s", [_phase(1, 3, 120)]),
        ("5/60s", [_phase(5, 0, 60)]),
        ("1+3/120s, 7/5m", [_phase(1, 3, 120), _phase(7, 0, 300)]),
        ("1+0/1s", [_phase(1, 0, 1)]),
    ],
)
def test_phases(text: str, phases: list) -> None:
    assert phases_of(text) == ({"TrafficType": "PHASES", "Phases": phases}, [])


@pytest.mark.parametrize(("text", "limit_ms"), [("200ms", 200), ("0.2s", 200), (" 1s ", 1000), ("1m", 60_000)])
def test_limits(text: str, limit_ms: int) -> None:
    assert limit_ms_of(text, "--p95") == (limit_ms, [])


@pytest.mark.parametrize(
    ("read", "text", "columns"),
    [
        (stairs_of, "", [0]),
        (stairs_of, "2x5", [0]),
        (stairs_of, "2x5/10m/3", [0]),
        (stairs_of, "x/", [0, 1, 2]),
        (stairs_of, "0x5/10m", [0]),
        (stairs_of, "2x-5/10", [2, 5]),
        (stairs_of, "2x5x6/1.5s", [0, 6]),
        (stairs_of, "٢x5/10m", [0]),
        (stairs_of, "2x5/0s", [4]),
        (stairs_of, "99999999999x1/1s", [0]),
        (phases_of, "", [0]),
        (phases_of, "1+3/120s,", [9]),
        (phases_of, "1+3/120s,7+x/5,,0+1+2/1.5s", [11, 13, 15, 16, 20, 22]),
        (phases_of, "2x5/10m", [0]),
    ],
)
def test_every_fault_is_told_with_its_place(read, text: str, columns: list[int]) -> None:
    pattern, problems = read(text)
    carets = [problem.advice.splitlines()[-1].index("^") - 4 for problem in problems]
    assert sorted(carets) == columns
    assert pattern["TrafficType"] in ("STAIRS", "PHASES"), "something valid stands in, so that the rest is checked too"


@pytest.mark.parametrize("text", ["200", "1.5ms", "0ms", "-1s", "ms", "1 s", "", "1e3ms", "inf"])
def test_what_is_no_limit(text: str) -> None:
    assert len(limit_ms_of(text, "--p95")[1]) == 1


def test_a_caret_stands_below_its_place_however_long_the_text_is_and_whatever_is_in_it() -> None:
    text = "1/1s," * 150 + "\x1b[31m/1s"
    (problem,) = phases_of(text)[1]
    line, caret = problem.advice.splitlines()[-2:]
    assert line[caret.index("^") :].startswith("?[31m/1s"), "and no control character reaches a terminal"
    assert len(line) < 120
    assert any("longer than" in problem.rule for problem in phases_of("1/1s," * 300)[1])


@given(st.text(max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    for read in (stairs_of, phases_of):
        _, problems = read(text)
        assert all(problem.rule and "^" in problem.advice for problem in problems)
    limit_ms_of(text, "--p95")


@given(st.integers(1, 9999), st.integers(1, 9999), st.integers(1, 9999))
def test_what_is_written_is_read(users: int, steps: int, length_s: int) -> None:
    assert stairs_of(f"{users}x{steps}/{length_s}s")[0]["Stairs"] == _stairs(users, steps, length_s)


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", "5400"), ("500ms", "0.5"), ("1.5s", "1.5"), ("90", None)])
def test_durations_are_exact(text: str, seconds: str | None) -> None:
    found = seconds_of(text)
    assert seconds is None if found is None else str(found.normalize()) == seconds or found == int(seconds or 0)

"""Figures as people read them, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.report.words import clock, duration, evidence_words, milliseconds, number, percent, plural


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7, "7"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346"), (0.01234, "0.0123")],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0, "0"), (0.05, "0.050"), (20.04, "20.0"), (999.94, "999.9"), (12345.6, "12,346")]
)
def test_milliseconds(value: float | None, text: str) -> None:
    assert milliseconds(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50.0 %"),
        (0.0004, "0.04 %"),
        (0.9996, "99.96 %"),
        (-0.0, "0 %"),
        (-0.05, "-5.0 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0.4 s"), (12.34, "12.3 s"), (59.6, "1 min"), (310, "5 min 10 s"), (7500, "2 h 5 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(7.9, "0:07"), (725, "12:05"), (3600, "1:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_plural() -> None:
    assert [plural(n, "user") for n in (0, 1, 1200)] == ["0 users", "1 user", "1,200 users"]


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({}, []),
        ({"rate_per_min": 1200.4, "limit_ms": 100}, ["rate 1,200/min", "limit 100 ms"]),
        ({"error_ratio": 0.0123, "n": 4000}, ["error ratio 1.2 %", "n 4,000"]),
        ({"rate_window_s": 60.0, "gain_per_user": 0.5}, ["rate window 60 s", "gain 0.5 per user"]),
        ({"why": "signal 9", "missing": None, "empty": []}, ["why signal 9"]),
        ({"peak": {"users": 6, "rate_per_s": 60.0}}, ["peak users 6", "peak rate 60/s"]),
        ({"levels": list(range(9))}, ["levels 0, 1, 2, 3, 4, 5, ..."]),
        ({"at_once": True}, ["at once yes"]),
        ({"_s": 3}, [" s 3"]),
    ],
)
def test_evidence(evidence: dict[str, Any], words: list[str]) -> None:
    assert evidence_words(evidence) == words

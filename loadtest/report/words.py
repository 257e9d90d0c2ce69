"""Figures as people read them. ASCII only: a terminal may be able to show no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.core.traffic.curve import Level

__all__ = [
    "clock",
    "duration",
    "evidence_words",
    "level_name",
    "level_users",
    "milliseconds",
    "number",
    "percent",
    "plural",
]

# Suffixes of names, the longer first; what they turn a value into.
UNITS: tuple[tuple[str, str], ...] = (
    ("_per_min", "{}/min"),
    ("_per_s", "{}/s"),
    ("_per_user", "{} per user"),
    ("_usd", "{} USD"),
    ("_bytes", "{} bytes"),
    ("_ms", "{} ms"),
    ("_us", "{} us"),
    ("_ns", "{} ns"),
    ("_s", "{} s"),
)
SHARES = ("_ratio", "_share", "ratio", "share", "confidence")
MAX_ITEMS = 6


def number(value: float) -> str:
    """About three digits, thousands apart: 12,345 - 123 - 12.3 - 1.23 - 0.0123."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def milliseconds(value: float | None) -> str:
    """A latency in ms, without the unit; "-": there is none."""
    if value is None:
        return "-"
    if value >= 1000 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def plural(n: int, noun: str, nouns: str = "") -> str:
    """1 user - 1,200 users. nouns: of many, if it is not the noun with an s."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {nouns or noun + 's'}"


def level_users(level: Level) -> str:
    """6 - 4-6 where users rise or fall - 120/s where the load is a rate."""
    if level.rate_per_s is not None:
        return f"{number(level.rate_per_s)}/s"
    return f"{level.users}" if level.users == level.from_users else f"{level.from_users}-{level.users}"


def level_name(level: Level) -> str:
    """level 2 (6 users) - level 0 (1 user) - level 3 (120/s)."""
    unit = "" if level.rate_per_s is not None else " user" if level.users == 1 else " users"
    return f"level {level.index} ({level_users(level)}{unit})"


def percent(share: float) -> str:
    """A share of 1 with enough digits to tell it from 0 and from 1."""
    value = 100 * share
    if abs(value) < 0.005:
        value = abs(value)  # no "-0"
    digits = 0 if value in (0, 100) else 1 if 1 <= abs(value) <= 99 else 2
    return f"{value:.{digits}f} %"


def duration(seconds: float) -> str:
    """12.3 s - 5 min 10 s - 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{number(round(seconds, 1))} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """0:07 - 12:05 - 1:00:00, rounded down."""
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole % 3600 // 60:0{2 if hours else 1}d}:{whole % 60:02d}"


def evidence_words(evidence: Mapping[str, Any]) -> list[str]:
    """Each fact as a phrase: {"rate_per_min": 1200.4, "limit_ms": 100} is ["rate 1,200/min", "limit 100 ms"]."""
    return list(_phrases(evidence, ""))


def _phrases(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _phrases(value, f"{prefix}{_words(name)} ")
        elif value is not None and value != "" and value != [] and value != ():
            yield prefix + _phrase(name, value)


def _phrase(name: str, value: Any) -> str:
    form, words = "{}", name
    if name.endswith(SHARES) and isinstance(value, float) and 0 <= value <= 1:
        return f"{_words(name)} {percent(value)}"
    for suffix, unit in UNITS:
        if name.endswith(suffix) and len(name) > len(suffix):
            form, words = unit, name.removesuffix(suffix)
            break
    return f"{_words(words)} {form.format(_shown(value))}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (list, tuple)):
        more = ", ..." if len(value) > MAX_ITEMS else ""
        return ", ".join(_shown(item) for item in value[:MAX_ITEMS]) + more
    return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")

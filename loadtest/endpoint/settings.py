"""What a mock endpoint does, as one value: `MockSettings`, its text form (`mock:servers=4,...`) and its checks.

No clock, no I/O, no numpy: the mock endpoint's process must start fast.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

from loadtest.errors import Problem, SpecError

__all__ = ["DEFAULT_SIGMA", "Law", "MockSettings"]

Law = Literal["fixed", "exponential", "lognormal", "empirical"]

DEFAULT_SIGMA = 0.406  # ln(1.95) / 1.6449: p95 is 1.95 times the median

_ALWAYS = ("servers", "service_ms", "law", "queue", "error_ratio", "seed")  # to_ref names them even at their defaults
_PREFIX = "mock:"


@dataclass(frozen=True, slots=True)
class MockSettings:
    """One mock endpoint. Raises SpecError, with every problem, when made from values out of range.

    servers: requests served at the same time, c. queue: requests that may wait for a server; one more is throttled.
    law, service_ms: time a server takes. fixed: service_ms. exponential: mean service_ms. lognormal: median
        service_ms, sigma of the logarithm `sigma`. empirical: drawn from the file `samples` (ms, one a line; "" if the
        law needs none), whatever service_ms says.
    error_ratio: share of requests, 0..1, answered as ModelError 424 with OriginalStatusCode 500, after their service.
    stall_ratio, stall_ms: share of requests, 0..1, that hold their server for stall_ms more.
    freeze_at_s, freeze_s, freeze_every_s: nothing is served for freeze_s from freeze_at_s after the first request on,
        as in a garbage collection; again every freeze_every_s (0: once). freeze_s = 0: never.
    cold_start_ms: what the first request of each server takes longer; a warm server that is free is taken first.
    parts, part_gap_ms: a streamed answer has so many parts, so far apart; the server is held until the last one.
    response_bytes: length of an answer's body, at most the API's 6,291,456; 0: a short JSON document.
    seed: of everything drawn at random. name: the only endpoint name served; "": any. variant: its only production
        variant; "": any that a request names, and AllTraffic for one that names none.
    """

    servers: int = 4
    service_ms: float = 20.0
    law: Law = "fixed"
    sigma: float = DEFAULT_SIGMA
    samples: str = ""
    queue: int = 1000
    error_ratio: float = 0.0
    stall_ratio: float = 0.0
    stall_ms: float = 0.0
    freeze_at_s: float = 0.0
    freeze_s: float = 0.0
    freeze_every_s: float = 0.0
    cold_start_ms: float = 0.0
    parts: int = 4
    part_gap_ms: float = 0.0
    response_bytes: int = 0
    seed: int = 1
    name: str = ""
    variant: str = ""

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise SpecError(problems)

    @classmethod
    def parse(cls, text: str) -> MockSettings:
        """The settings that `servers=4,service_ms=20,...` describes, with or without `mock:` before it.

        What is not named keeps its default. Raises SpecError with every problem: unknown names (and the nearest
        ones), names given twice, values of the wrong type or out of range.
        """
        problems: list[Problem] = []
        values: dict[str, object] = {}
        if text[: len(_PREFIX)].lower() == _PREFIX:
            text = text[len(_PREFIX) :]
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, equals, raw = (part.strip() for part in item.partition("="))
            if name not in _KINDS:
                problems.append(Problem(_PREFIX + name, raw, "there is no such setting", _nearest(name)))
            elif not equals or (not raw and _KINDS[name] != "str"):
                problems.append(Problem(_PREFIX + name, "", "the value is missing", f"write {name}=VALUE"))
            elif name in values:
                problems.append(Problem(_PREFIX + name, raw, "the setting is given twice"))
            else:
                values[name] = _value(name, raw, problems)
        # Defaults stand in for what could not be read, so that the values that could be are checked too.
        readable = {name: value for name, value in values.items() if value is not None}
        try:
            settings = cls(**readable)  # type: ignore[arg-type]
        except SpecError as found:
            problems.extend(found.problems)
        if problems:
            raise SpecError(problems)
        return settings

    def to_ref(self) -> str:
        """The reference that `parse` reads back as an equal value: `mock:servers=4,service_ms=20,law=fixed,...`."""
        default = MockSettings()
        pairs = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = {name: value for name, value in pairs.items() if name in _ALWAYS or value != getattr(default, name)}
        return _PREFIX + ",".join(f"{name}={_text(value)}" for name, value in kept.items())


_KINDS: Mapping[str, str] = {field.name: str(field.type) for field in fields(MockSettings)}
_POSITIVE = ("servers", "parts")
_MOST = {"servers": 1_000_000, "parts": 10_000, "response_bytes": 6_291_456}
_RATIOS = ("error_ratio", "stall_ratio")
_UNSIGNED = (
    "service_ms",
    "sigma",
    "queue",
    "stall_ms",
    "freeze_at_s",
    "freeze_s",
    "freeze_every_s",
    "cold_start_ms",
    "part_gap_ms",
    "response_bytes",
)


def _problems(settings: MockSettings) -> Iterator[Problem]:
    for name, kind in _KINDS.items():
        value = getattr(settings, name)
        where, got = _PREFIX + name, _text(value)
        if kind in ("int", "float") and not _is_number(value, kind):
            yield Problem(where, got, f"must be {_A_NUMBER[kind]}")
        elif name in _POSITIVE and value < 1:
            yield Problem(where, got, "must be at least 1")
        elif name in _MOST and value > _MOST[name]:
            yield Problem(where, got, f"must be at most {_MOST[name]}")
        elif name in _RATIOS and not 0 <= value <= 1:
            yield Problem(where, got, "must lie in 0..1", "it is a share, not a percentage")
        elif name in _UNSIGNED and value < 0:
            yield Problem(where, got, "must not be negative")
        elif name == "law" and value not in get_args(Law):
            yield Problem(where, got, f"must be one of {', '.join(get_args(Law))}", _did_you_mean(got, get_args(Law)))
        elif kind == "str" and "," in value:
            yield Problem(where, got, "must not contain a comma")
    yield from _conflicts(settings)


def _conflicts(settings: MockSettings) -> Iterator[Problem]:
    if settings.law == "empirical" and not settings.samples:
        yield Problem(
            f"{_PREFIX}samples", "", "the empirical law needs samples", "name a file with one value in ms a line"
        )
    if settings.samples and settings.law != "empirical":
        yield Problem(f"{_PREFIX}samples", settings.samples, "only the empirical law has samples", "add law=empirical")
    every, length = settings.freeze_every_s, settings.freeze_s
    if _is_number(every, "float") and _is_number(length, "float") and 0 < every <= length:
        yield Problem(f"{_PREFIX}freeze_every_s", _text(every), f"must be more than freeze_s ({_text(length)})")


_A_NUMBER = {"int": "a whole number", "float": "a finite number"}


def _is_number(value: object, kind: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if kind == "int" else (int, float)):
        return False
    return math.isfinite(value)


def _value(name: str, raw: str, problems: list[Problem]) -> object:
    kind = _KINDS[name]
    if kind not in _A_NUMBER:
        return raw
    try:
        return int(raw) if kind == "int" else float(raw)
    except ValueError:
        problems.append(Problem(_PREFIX + name, raw, f"must be {_A_NUMBER[kind]}"))
        return None


def _text(value: object) -> str:
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _nearest(name: str) -> str:
    return _did_you_mean(name, tuple(_KINDS)) or f"the settings are {', '.join(_KINDS)}"


def _did_you_mean(text: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(text.lower(), known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""

"""What a mock endpoint does, as one value: `MockSettings`, its text form (`mock:servers=4,...`) and its checks.

No clock, no I/O, no numpy: the mock endpoint's process must start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

from loadtest.core.request.bounds import Bound
from loadtest.core.request.findings import Findings, nearest
from loadtest.errors import SpecError

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
        findings = Findings(where=_PREFIX)
        for name, bound in _BOUNDS.items():
            value = getattr(self, name)
            findings.check((name,), value, bound, _text(value))
        _conflicts(self, findings)
        findings.raise_errors()

    @classmethod
    def parse(cls, text: str) -> MockSettings:
        """The settings that `servers=4,service_ms=20,...` describes, with or without `mock:` before it.

        What is not named keeps its default. Raises SpecError with every problem: unknown names (and the nearest
        ones), names given twice, values of the wrong type or out of range.
        """
        findings = Findings(where=_PREFIX)
        values: dict[str, object] = {}
        if text[: len(_PREFIX)].lower() == _PREFIX:
            text = text[len(_PREFIX) :]
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, equals, raw = (part.strip() for part in item.partition("="))
            if name not in _BOUNDS:
                findings.error((name,), raw, "there is no such setting", _nearest(name))
            elif not equals or (not raw and _BOUNDS[name].kind != "text"):
                findings.error((name,), "", "the value is missing", f"write {name}=VALUE")
            elif name in values:
                findings.error((name,), raw, "the setting is given twice")
            else:
                values[name] = _value(name, raw, findings)
        # Defaults stand in for what could not be read, so that the values that could be are checked too.
        readable = {name: value for name, value in values.items() if value is not None}
        problems = list(findings.problems)
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


_UNSIGNED = Bound("number", 0)
_SHARE = Bound("number", 0, 1, advice="it is a share, not a percentage")
_WORD = Bound(allowed=lambda text: "," not in text, noun="a text without a comma")
_BOUNDS: Mapping[str, Bound] = {
    "servers": Bound("whole", 1, 1_000_000),
    "service_ms": _UNSIGNED,
    "law": Bound(choices=get_args(Law)),
    "sigma": _UNSIGNED,
    "samples": _WORD,
    "queue": Bound("whole", 0),
    "error_ratio": _SHARE,
    "stall_ratio": _SHARE,
    "stall_ms": _UNSIGNED,
    "freeze_at_s": _UNSIGNED,
    "freeze_s": _UNSIGNED,
    "freeze_every_s": _UNSIGNED,
    "cold_start_ms": _UNSIGNED,
    "parts": Bound("whole", 1, 10_000),
    "part_gap_ms": _UNSIGNED,
    "response_bytes": Bound("whole", 0, 6_291_456),
    "seed": Bound("whole"),
    "name": _WORD,
    "variant": _WORD,
}


def _conflicts(settings: MockSettings, findings: Findings) -> None:
    if settings.law == "empirical" and not settings.samples:
        findings.error(("samples",), "", "the empirical law needs samples", "name a file with one value in ms a line")
    if settings.samples and settings.law != "empirical":
        findings.error(("samples",), settings.samples, "only the empirical law has samples", "add law=empirical")
    every, length = settings.freeze_every_s, settings.freeze_s
    if not findings.blames(("freeze_every_s",)) and not findings.blames(("freeze_s",)) and 0 < every <= length:
        findings.error(("freeze_every_s",), _text(every), f"must be more than freeze_s ({_text(length)})")


def _value(name: str, raw: str, findings: Findings) -> object:
    """What a text stands for; None, and it is noted: for no value of its kind."""
    kind = _BOUNDS[name].kind
    if kind == "text":
        return raw
    try:
        return int(raw) if kind == "whole" else float(raw)
    except ValueError:
        findings.error((name,), raw, f"must be {'a whole' if kind == 'whole' else 'a finite'} number")
        return None


def _text(value: object) -> str:
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _nearest(name: str) -> str:
    return nearest(name, _BOUNDS) or f"the settings are {', '.join(_BOUNDS)}"

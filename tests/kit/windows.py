"""Windows and frames by the flat names that files have: a test says what it is about, and leaves the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadtest.core.measure.health import Health
from loadtest.core.measure.levels import LevelResult
from loadtest.core.measure.record import Frame
from loadtest.core.measure.totals import Totals
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.traffic.arrivals import Sends

__all__ = ["CALM", "changed", "changed_level", "changed_totals", "flat_frame", "flat_level", "flat_window", "framed"]


def flat_window(index: int = 0, start_s: float | None = None, end_s: float | None = None, **members: Any) -> Window:
    """One second of a run by default, the `index`-th."""
    start_s = float(index) if start_s is None else start_s
    end_s = start_s + 1.0 if end_s is None else end_s
    return Window.from_dict({"index": index, "start_s": start_s, "end_s": end_s, **members})


def changed(window: Window, /, **members: Any) -> Window:
    """`window` with other values of some members."""
    return Window.from_dict({**window.to_dict(), **members})


def flat_frame(
    index: int,
    start_s: float,
    end_s: float,
    level: int | None,
    users: int,
    running: int,
    active: float,
    age_sum_s: float = 0.0,
    sends: Sends = Sends(),
    **health: Any,
) -> Frame:
    """What an engine knows of a window."""
    return Frame(Span(index, start_s, end_s, level), Load(users, running, active), age_sum_s, Health(**health), sends)


def framed(frame: Frame, **members: Any) -> Frame:
    """`frame` with other values of some members."""
    flat = {**asdict(frame.span), **asdict(frame.load), **asdict(frame.health)}
    flat.pop("in_flight")
    return flat_frame(**{**flat, "age_sum_s": frame.age_sum_s, "sends": frame.sends, **members})


def flat_level(level: int, users: int, **members: Any) -> LevelResult:
    """A level's result by the names of levels.csv; 30 s long by default, of constant users."""
    values = {"level": level, "users": users, "from_users": users, "start_s": 30.0 * level, "windows": 30, **members}
    values.setdefault("end_s", values["start_s"] + 30.0)
    errors = values.pop("errors", 0)
    kinds = {"error_kinds": {"timeout": errors} if errors else {}, "ok": 0, "over": 0, "measured_s": 30.0}
    return LevelResult.from_dict({**kinds, "in_flight": None, "active": None, **values})


def changed_level(level: LevelResult, /, **members: Any) -> LevelResult:
    """`level` with other values of some members."""
    return LevelResult.from_dict({**level.to_dict(), **members})


def changed_totals(totals: Totals, /, **members: Any) -> Totals:
    """`totals` with other values of some members."""
    return Totals.from_dict({**totals.to_dict(), **members})


# What an idle machine measures: a little of everything, nothing over its limit.
CALM = flat_window(
    index=0,
    start_s=0.0,
    end_s=1.0,
    level=0,
    users=10,
    running=10,
    active=10.0,
    in_flight=9.8,
    ok=500,
    latency_sum_s=9.8,
    loop_lag_s=0.004,
    cpu=0.3,
    steal=0.01,
    clock_step_s=0.0002,
)

"""What a search takes from a window: counts against each limit, and who set the pace. No clock, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtest.core.measure.counters import counts_over
from loadtest.core.measure.marks import client_limited
from loadtest.core.measure.outcome import Kind
from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import LatencyClock

__all__ = ["Criterion", "Reading", "criteria_of", "invocations_name", "reading_of"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """Something that at most a share of `allowed` of the requests may be: slower than limit_ms; None: a failure.

    per_s: instead, so many successes a second are all that is wanted.
    """

    name: str
    allowed: float
    limit_ms: float | None = None
    per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A window. over: requests over each criterion's limit, in their order; n: those that are judged.

    throttled: refused for a quota. usable: it is whole, and of one load. limited: the generator set the pace. by_model:
    `over` is by the model's clock.
    """

    index: int
    start_s: float
    end_s: float
    n: int
    ok: int
    over: tuple[int, ...]
    throttled: int = 0
    latency_sum_s: float = 0.0
    usable: bool = True
    limited: bool = False
    by_model: bool = False


def criteria_of(settings: SearchSettings) -> tuple[Criterion, ...]:
    """Latency limits in their order, then the error budget, then the invocations that are wanted."""
    found = [Criterion(each.name, 1 - each.percentile, each.limit_ms) for each in settings.objectives]
    if settings.max_error_ratio is not None:
        found.append(Criterion(f"errors <= {100 * settings.max_error_ratio:g} %", settings.max_error_ratio))
    if settings.max_invocations_per_min is not None:
        wanted = settings.max_invocations_per_min
        found.append(Criterion(invocations_name(wanted), 1.0, per_s=wanted / 60))
    return tuple(found)


def invocations_name(per_min: float) -> str:
    """Of MaxInvocations as a criterion: `12,000 invocations/min`."""
    return f"{per_min:,g} invocations/min"


def reading_of(window: Window, criteria: tuple[Criterion, ...], clock: LatencyClock = "client") -> Reading:
    """Failures are over every limit. clock: whose latency is compared; of a model only where it timed every success.

    The client's is that of an open workload from the intended time on.
    """
    counts = window.counts
    failed = counts.judged - counts.ok
    limits_us = [math.floor(1000 * each.limit_ms) for each in criteria if each.limit_ms is not None]
    over, by_model = _over(window, limits_us, clock)
    later = iter(over)
    return Reading(
        window.index,
        window.start_s,
        window.end_s,
        counts.judged,
        counts.ok,
        tuple(0 if each.per_s else failed + (next(later) if each.limit_ms else 0) for each in criteria),
        counts.errors.get(Kind.THROTTLED.value, 0),
        counts.latency_sum_s,
        window.level is not None,
        bool(client_limited(window)),
        by_model,
    )


def _over(window: Window, limits_us: list[int], clock: LatencyClock) -> tuple[list[int], bool]:
    """(successes over each limit, whether the model's clock says so)."""
    if not limits_us:
        return [], False
    model = window.latencies.model.encoded
    if clock != "client" and model:
        *over, timed = counts_over([model], [*limits_us, 0])[0].tolist()
        if timed == window.counts.ok:
            return over, True
    return counts_over([window.latencies.judged.encoded], limits_us)[0].tolist(), False

"""The service's own figures of a run beside the client's: by publishing period, by level, and what is doubtful of them.

    client = network + overhead + model        means only: percentiles of parts do not add up

Only whole periods inside a level count for that level. A percentile of several periods is known to lie between the
lowest and the highest of theirs, and no closer. No clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.core.plain import plain
from loadtest.core.result.periods import (
    COVERED,
    PERCENTILES,
    ClientSide,
    Period,
    Usage,
    client_side,
    clock_offset_s,
    periods_of,
    run_levels,
    usage_of,
)
from loadtest.core.result.result import RunResult

__all__ = ["LevelSide", "ServiceSide", "service_side"]

OTHERS = 1.05  # times this run's own requests: somebody else uses the endpoint
FEW = 10  # requests that may be on either side of a period's edge
BUSY = ("cpu", "memory", "gpu", "gpu_memory", "disk")


@dataclass(frozen=True, slots=True)
class LevelSide:
    """One level, from the whole periods inside it. None: not told.

    requests: samples of ModelLatency. over: (at least, at most) so many of them were over the limit. client: what this
    client measured in the same periods. model_percentiles: share -> (lowest, highest) of the periods' own.
    network_ms: client - overhead - model, of the means; None also if it is negative, which no network is.
    Rates are per minute, usage in percent.
    """

    level: int
    periods: int
    start_s: float
    end_s: float
    requests: int
    client: ClientSide
    model_mean_ms: float | None = None
    model_max_ms: float | None = None
    overhead_mean_ms: float | None = None
    network_ms: float | None = None
    model_percentiles: Mapping[float, tuple[float, float]] | None = None
    over: tuple[int, int] | None = None
    invocations_per_min: float | None = None
    per_instance_per_min: float | None = None
    errors_4xx: float | None = None
    errors_5xx: float | None = None
    model_errors: float | None = None
    concurrent: float | None = None
    setup_ms: float | None = None
    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None
    gpu_memory: float | None = None
    disk: float | None = None


@dataclass(frozen=True, slots=True)
class ServiceSide:
    """A run as the service saw it. period_s: of the invocation metrics. absent: metrics of which no point came.

    shared: others use the endpoint too. doubts: in words, as are problems: what could not be asked.
    """

    period_s: float
    periods: tuple[Period, ...]
    usage: tuple[Usage, ...]
    levels: tuple[LevelSide, ...]
    absent: tuple[str, ...]
    shared: bool
    doubts: tuple[str, ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as summary.json has them."""
        return {
            "period_s": self.period_s,
            "levels": [_flat_level(each) for each in self.levels],
            "periods": [_flat_period(each) for each in self.periods],
            "usage": [plain(asdict(each)) for each in self.usage],
            "absent": list(self.absent),
            "shared": self.shared,
            "doubts": list(self.doubts),
            "problems": list(self.problems),
        }


def service_side(result: RunResult) -> ServiceSide | None:
    """None: CloudWatch was not asked, or the run has no time of its own."""
    document = result.cloudwatch
    if document is None or result.started_at is None:
        return None
    threshold = result.plan.threshold
    levels = run_levels(result.plan, result.windows, result.stopped_at_s)
    limit_ms = None if threshold is None else float(threshold.limit_ms)
    periods = periods_of(document, result.windows, levels, result.started_at, limit_ms)
    usage = usage_of(document, levels, result.started_at)
    by_level: dict[int, list[Period]] = {}
    for each in periods:
        if each.level is not None:
            by_level.setdefault(each.level, []).append(each)
    return ServiceSide(
        period_s=float(document["period_s"]["invocations"]),
        periods=periods,
        usage=usage,
        levels=tuple(_level(result, level, part, usage) for level, part in sorted(by_level.items())),
        absent=tuple(each["metric"] for each in document["series"] if not each["points"]),
        shared=_shared(periods)[0],
        doubts=tuple(_doubts(document, periods)),
        problems=tuple(document.get("problems", ())),
    )


def _level(result: RunResult, level: int, periods: Sequence[Period], usage: Sequence[Usage]) -> LevelSide:
    start_s, end_s = periods[0].start_s, periods[-1].end_s
    period_s = periods[0].end_s - start_s
    held = {round((each.start_s - start_s) / period_s) for each in periods}
    windows = [w for w in result.windows if ((w.start_s + w.end_s) / 2 - start_s) // period_s in held]
    used = [each for each in usage if each.level == level]
    over = [each.model.over for each in periods if each.model.over is not None]
    minutes = sum(each.end_s - each.start_s for each in periods) / 60
    invocations, per_instance = _sum(p.invocations for p in periods), _sum(p.per_instance for p in periods)
    return LevelSide(
        level=level,
        periods=len(periods),
        start_s=start_s,
        end_s=end_s,
        requests=sum(each.model.n for each in periods),
        client=client_side(windows),
        model_mean_ms=_mean((p.model.mean_ms, p.model.n) for p in periods),
        model_max_ms=max((p.model.max_ms for p in periods if p.model.max_ms is not None), default=None),
        overhead_mean_ms=_mean((p.overhead.mean_ms, p.overhead.n) for p in periods),
        network_ms=_network_ms(periods),
        model_percentiles=_percentiles(periods),
        over=(sum(low for low, _ in over), sum(high for _, high in over)) if over else None,
        invocations_per_min=None if invocations is None else invocations / minutes,
        per_instance_per_min=None if per_instance is None else per_instance / minutes,
        errors_4xx=_sum(each.errors_4xx for each in periods),
        errors_5xx=_sum(each.errors_5xx for each in periods),
        model_errors=_sum(each.model_errors for each in periods),
        concurrent=max((each.concurrent for each in periods if each.concurrent is not None), default=None),
        setup_ms=_mean((each.setup_ms, 1) for each in periods),
        **{name: _mean((getattr(each, name), 1) for each in used) for name in BUSY},
    )


def _network_ms(periods: Sequence[Period]) -> float | None:
    """Of the means over all periods that both clocks told of; a mean of differences would weigh quiet ones too much."""
    both = [each for each in periods if each.comparable]
    client = _mean((each.client.mean_ms, each.client.ok) for each in both)
    model, overhead = (
        _mean((each.model.mean_ms, each.model.n) for each in both),
        _mean((each.overhead.mean_ms, each.overhead.n) for each in both),
    )
    if client is None or model is None or overhead is None:
        return None
    return client - overhead - model if client >= overhead + model else None


def _percentiles(periods: Sequence[Period]) -> dict[float, tuple[float, float]]:
    """Of shares that every period with requests has."""
    told = [each.model.percentiles for each in periods if each.model.n]
    shares = set.intersection(*(set(each) for each in told)) if told else set()
    return {share: (min(p[share] for p in told), max(p[share] for p in told)) for share in sorted(shares)}


def _mean(weighted: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None and weight]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _doubts(document: Mapping[str, Any], periods: Sequence[Period]) -> Iterator[str]:
    offset_s = clock_offset_s(document)
    if offset_s:
        way = "ahead of" if offset_s > 0 else "behind"
        yield f"this machine's clock is {abs(offset_s):.1f} s {way} AWS's: periods are shifted by that"
    shared, theirs, ours = _shared(periods)
    if shared:
        yield (
            f"CloudWatch counts {theirs:,.0f} invocations where this run made {ours:,}: others use the endpoint too, "
            "and its figures are of all of them"
        )
    inside = _inside(periods)
    counted = [each for each in inside if each.model.n]
    samples, ok = sum(each.model.n for each in counted), sum(each.client.ok for each in counted)
    if samples < ok / OTHERS - FEW:
        yield f"CloudWatch has the latency of {samples:,} requests where {ok:,} succeeded: not all of them count there"
    failed = sum(each.client.failed for each in counted)
    if failed > (OTHERS - 1) * (ok + failed):
        yield "many requests failed: CloudWatch's means may contain them, the client's are of successes alone"
    if any((each.network_ms or 0.0) < 0 for each in inside):
        yield "in some periods the client's mean is below overhead and model together: the two count different requests"


def _shared(periods: Sequence[Period]) -> tuple[bool, float, int]:
    """(whether others use the endpoint too, invocations that CloudWatch counts, those that this run made)."""
    told = [each for each in _inside(periods) if each.invocations is not None]
    theirs, ours = sum(each.invocations or 0.0 for each in told), sum(each.client.completed for each in told)
    return theirs > OTHERS * ours + FEW, theirs, ours


def _inside(periods: Sequence[Period]) -> list[Period]:
    """Those of levels that the client measured nearly all of."""
    return [p for p in periods if p.level is not None and p.client.covered_s >= COVERED * (p.end_s - p.start_s)]


def _flat_level(level: LevelSide) -> dict[str, Any]:
    values = asdict(level)
    client, percentiles, over = values.pop("client"), values.pop("model_percentiles"), values.pop("over")
    for share in PERCENTILES:
        low, high = (percentiles or {}).get(share, (None, None))
        values |= {f"model_p{share * 100:g}_low_ms": low, f"model_p{share * 100:g}_high_ms": high}
    values |= {"over_least": over and over[0], "over_most": over and over[1]}
    return {**plain(values), **{f"client_{name}": value for name, value in plain(client).items()}}


def _flat_period(period: Period) -> dict[str, Any]:
    values = asdict(period)
    client, model, overhead = values.pop("client"), values.pop("model"), values.pop("overhead")
    percentiles, over = model["percentiles"], model["over"]
    told = {
        "requests": model["n"],
        "model_mean_ms": model["mean_ms"],
        "model_max_ms": model["max_ms"],
        **{f"model_p{share * 100:g}_ms": percentiles.get(share) for share in PERCENTILES},
        "overhead_mean_ms": overhead["mean_ms"],
        "network_ms": period.network_ms,
        "over_least": over and over[0],
        "over_most": over and over[1],
    }
    return {**plain({**values, **told}), **{f"client_{name}": value for name, value in plain(client).items()}}

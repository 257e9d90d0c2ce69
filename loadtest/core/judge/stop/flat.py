"""FlatInvocations: stop when more users bring no more invocations (S6).

Levels are compared while users rise. Over the last k + 1 of them, k >= 2, the gain per added user is the slope of
throughput over users. It is flat if

    - the slope and the upper end of its confidence interval are below 10 % of what one user alone gets, and
    - latency rose by at least half of what Little's law gives when throughput stands still (R = N / X): otherwise the
      added users did not reach the endpoint, and

    - the share of failures did not rise by a percentage point: a throttled endpoint is another matter.

Throughput that falls significantly, and by at least 5 %, below an earlier level's, with more users, is past its peak
and fires too, if the level before was 5 % below already: two levels show it, not one. k is the smallest that shows it:
two flat steps if the throughput is steady, more if it is noisy.

The uncertainty is that of batch means within the levels, and what levels differ by beyond it, as the rise itself shows
(`stats/rates.py`). A rise of many levels is many chances to be wrong: with m levels each of the two findings may take
2 / (m (m + 1)) of an error probability of 1 % a run. Constant users (SpawnRate 0) have no second level, so they are
never flat; neither is anything with fewer than 100 requests a level, or that the generator limited.

Sources: docs/decisions.md S6; Denning and Buzen, operational analysis (1978). No clock, no state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from loadtest.core.judge.decision import Decision, Reason
from loadtest.core.stats.plateau import GAIN, single_user_rate
from loadtest.core.stats.rates import LevelRate, level_spread
from loadtest.core.stats.scaling import scaling_facts
from loadtest.core.stats.student import freedom_of, student

__all__ = ["FlatRule", "Plateau"]

LATENCY_RISE = 0.5  # of what Little's law gives for a throughput that stands still
ERROR_RISE = 0.01
LEAST_STEPS = 2
MOST_STEPS = 30
FALL = 0.05
ALPHA = 0.01  # of a run, for each of the two findings


@dataclass(frozen=True, slots=True)
class Plateau:
    """Throughput stopped growing. kind: "flat" or "falling". steps: of users that showed it.

    gain_share, gain_share_high: gain per added user over the single-user rate, and the upper end of its interval;
    "falling": negative, of the fall since the peak.
    """

    kind: str
    steps: int
    gain_share: float
    gain_share_high: float


@dataclass(frozen=True, slots=True)
class FlatRule:
    """The rule that ends a run when more users bring no more throughput. seed: of the bootstrap of the fitted curve in
    the evidence.
    """

    seed: int = 1

    def find(self, rates: Sequence[LevelRate]) -> Plateau | None:
        """rates: of levels with rising users, in order, the last one under way or over."""
        if len(rates) < 2:
            return None
        single = single_user_rate([(rate.users, rate.per_s) for rate in rates])
        if single <= 0:
            return None
        spread = level_spread(rates)
        z = NormalDist().inv_cdf(1 - 2 * ALPHA / (len(rates) * (len(rates) + 1)))
        falling = _falling(rates, single, spread, z)
        if falling is not None:
            return falling
        for steps in range(LEAST_STEPS, min(MOST_STEPS, len(rates) - 1) + 1):
            found = _flat(rates[-steps - 1 :], single, spread, z)
            if found is not None:
                return found
        return None

    def gain(self, rates: Sequence[LevelRate]) -> float | None:
        """What the last two steps of users brought, each, as a share of what one user alone gets; None: too few steps.

        1: as much as the first; at GAIN or below it may be flat, which `find` decides with what it is uncertain by.
        """
        last = rates[-LEAST_STEPS - 1 :]
        single = max((rate.per_s / rate.users for rate in rates), default=0.0)
        if len(last) <= LEAST_STEPS or single <= 0 or last[-1].users <= last[0].users:
            return None
        return (last[-1].per_s - last[0].per_s) / (last[-1].users - last[0].users) / single

    def check(self, rates: Sequence[LevelRate]) -> Decision | None:
        """None also while the generator limited any of the levels that would show it."""
        plateau = self.find(rates)
        if plateau is None or self.limited(rates, plateau):
            return None
        return Decision(Reason.FLAT, self.evidence(rates, plateau))

    def limited(self, rates: Sequence[LevelRate], plateau: Plateau) -> bool:
        """The generator set the pace in one of the levels."""
        return any(rate.limited for rate in rates[-plateau.steps - 1 :])

    def evidence(self, rates: Sequence[LevelRate], plateau: Plateau) -> dict[str, Any]:
        """What is known of the plateau: JSON values."""
        return {
            "kind": plateau.kind,
            "steps": plateau.steps,
            "gain_share": round(plateau.gain_share, 4),
            "gain_share_high": round(plateau.gain_share_high, 4),
            "limit_share": GAIN,
            "throughput_per_s": round(rates[-1].per_s, 3),
            "users": round(rates[-1].users, 2),
            **scaling_facts(rates, self.seed),
        }


def _flat(rates: Sequence[LevelRate], single: float, between: tuple[float, int], z: float) -> Plateau | None:
    first, last = rates[0], rates[-1]
    if last.error_ratio > first.error_ratio + ERROR_RISE or not first.latency_s:
        return None
    needed = 1 + LATENCY_RISE * (last.users / first.users - 1)
    if last.latency_s < needed * first.latency_s:
        return None
    mean = sum(rate.users for rate in rates) / len(rates)
    spread = sum((rate.users - mean) ** 2 for rate in rates)
    if not spread:
        return None
    shares = [(rate.users - mean) / spread for rate in rates]
    slope = sum(share * rate.per_s for share, rate in zip(shares, rates, strict=True))
    high = slope + _margin(rates, shares, between, z)
    if slope >= GAIN * single or high >= GAIN * single:
        return None
    return Plateau("flat", len(rates) - 1, slope / single, high / single)


def _falling(rates: Sequence[LevelRate], single: float, between: tuple[float, int], z: float) -> Plateau | None:
    *_, before, last = rates
    peak = max(range(len(rates) - 1), key=lambda i: rates[i].per_s)
    top = rates[peak]
    if last.error_ratio > top.error_ratio + ERROR_RISE or last.users <= top.users or last.latency_s <= top.latency_s:
        return None
    least = FALL * top.per_s
    if before.users <= top.users or top.per_s - before.per_s < least:
        return None
    fall = top.per_s - last.per_s
    margin = _margin((top, last), (1.0, 1.0), between, z)
    if fall < least or fall <= margin:
        return None
    added = last.users - top.users
    return Plateau("falling", len(rates) - 1 - peak, -fall / added / single, (margin - fall) / added / single)


def _margin(rates: Sequence[LevelRate], shares: Sequence[float], between: tuple[float, int], z: float) -> float:
    """How far a weighted sum of throughputs may be off, at the normal quantile z."""
    spread, freedom = between
    parts = [((share * rate.error_per_s) ** 2, rate.freedom) for share, rate in zip(shares, rates, strict=True)]
    if spread:
        parts.append((sum((share * spread * r.per_s) ** 2 for share, r in zip(shares, rates, strict=True)), freedom))
    return student(z, freedom_of(parts)) * math.sqrt(sum(variance for variance, _ in parts))

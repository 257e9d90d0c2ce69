"""ModelLatencyThresholds: are more than 1 - p of the requests over the limit? met, not met or undecided (S2).

"P95 is over T" means "more than q = 5 % of the requests take longer than T", so requests over T are counted, on the raw
latency, and failures count as over (S5). What is asked of n such counts is a binomial question. It is asked again at
every window, and asking a fixed-size test often is how a healthy endpoint gets stopped: with 4 % over, the rule
"P95 > T" stops about half of all runs within 3,000 requests. Two rules decide instead.

Gross breach, fast. The last three stretches of at least 30 requests (one window each, if it has that many) all have
    at least 4 q over (20 % for a P95), and together they are beyond chance: a binomial tail below 1e-6 for their
    effective size.

Confidence sequence, honest at every look (`loadtest.core.stats.evidence`), alpha = 0.01. "Not met" needs both of
    - evidence on the plain counts that the share is over q. If requests are independent, that alone holds the
      probability of ever stopping an endpoint at the very limit to 1 %;
    - evidence on the burst-corrected counts, n / DEFF and over / DEFF (`stats/burst.py`), that the share is over
      0.8 q. In bursts the plain counts prove nothing, and the corrected ones are few: no test can find 10 % over in
      bursts of ten within 4,000 requests in 95 of 100 cases and stop an endpoint at the limit in only 1 (400
      independent requests do not hold that much; by Neyman and Pearson 94 is the most). The gap between 0.8 q, where a
      stop is wrong, and q, where it is arguable, is what makes a decision possible.
    "Met" needs evidence on the corrected counts that the share is below q. Neither: undecided.

A level of constant users is judged on all its requests; a ramp on its last 60 s, at alpha / 10, since a rolling window
is a new sample again and again. With fewer than ten batches of 50 requests the second rule says nothing.

The interval of the percentile is the distribution-free one of order statistics, on the effective size.
Sources: MLPerf inference rules, "Early Stopping Criterion"; Howard and Ramdas (arXiv 1906.09712); Kish (1965);
David and Nagaraja, "Order Statistics" (2003), section 7.1. No clock, no state: a verdict is a function of counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.core.judge.verdict import Answer
from loadtest.core.measure.counts import Counts
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.burst import ENOUGH, Tally, design_effect, tally_of
from loadtest.core.stats.evidence import interval, log_beta_ratio, log_over, log_under

__all__ = ["ALPHA", "Judgement", "LatencyRule"]

ALPHA = 0.01
ALPHA_ROLLING = 0.001
HEALTHY = 0.8  # times the allowed share: an endpoint up to there must not be stopped, bursts or not
CLOSE = 0.5  # a share over the limit that is off the allowed one by less than this share of it
BATCH = 50  # requests in the shortest batch of the burst correction

GROSS_STRETCHES = 3
GROSS_REQUESTS = 30  # in each of them
GROSS_TIMES = 4  # times the allowed share
GROSS_TAIL = 1e-6
GROSS_BATCH = 10

MOST_REQUESTS = 10_000_000  # further ahead no estimate is made

GROSS_RULE = "gross breach"
SEQUENCE_RULE = "confidence sequence"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the counts say. rule: which rule decided, or why none could. effective_n: None: too few to tell."""

    answer: Answer
    rule: str
    n: int
    over: int
    effective_n: float | None = None


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """threshold: the percentile and its limit."""

    threshold: LatencyThreshold

    @property
    def allowed(self) -> float:
        """Share of requests that may be over the limit, q; decimal, since 1 - 0.95 is not the float 0.05."""
        return round(1 - self.threshold.percentile, 9)

    def judge(self, tally: Tally, recent: Sequence[Counts], *, rolling: bool = False) -> Judgement:
        """tally: the level's, or the rolling stretch's. recent: of its latest windows, enough for three stretches."""
        if not tally.n:
            return Judgement("undecided", "no requests", 0, 0)
        gross = self._gross(recent)
        if gross is not None:
            return gross
        return self._sequence(tally, ALPHA_ROLLING if rolling else ALPHA)

    def evidence(self, judgement: Judgement, *, rolling: bool = False) -> dict[str, float | int | str]:
        """The facts behind a judgement, as JSON values. share_low, share_high: always-valid interval of the share."""
        n, over = judgement.n, judgement.over
        facts: dict[str, float | int | str] = {
            "percentile": self.threshold.name,
            "limit_ms": self.threshold.limit_ms,
            "rule": judgement.rule,
            "n": n,
            "over": over,
            "over_share": over / n if n else 0.0,
            "allowed_share": self.allowed,
        }
        if judgement.effective_n:
            effective = judgement.effective_n
            low, high = interval(effective, over * effective / n, ALPHA_ROLLING if rolling else ALPHA)
            facts |= {"effective_n": round(effective, 1), "share_low": round(low, 6), "share_high": round(high, 6)}
        return facts

    def more_requests(self, tally: Tally) -> int | None:
        """About how many more requests like these would decide; None: none that could be foreseen."""
        if not tally.n:
            return None
        effect = design_effect(tally.batches, BATCH) or 1.0
        share, least = tally.share, ENOUGH * BATCH
        needed = max(tally.n, least)
        while not self._would_decide(needed, share, effect):
            needed = math.ceil(needed * 1.1)
            if needed > MOST_REQUESTS:
                return None
        return needed - tally.n or None

    def ranks(self, n: int, effective_n: float) -> tuple[int, int | None]:
        """Ranks (from 1) of the sorted latencies that enclose the percentile with 95 %; None: n has no upper one."""
        size = max(1, round(min(effective_n, n)))
        low = _first(size, lambda rank: _tail(size, self.threshold.percentile, rank) < 0.975) - 1
        high = _first(size, lambda rank: _tail(size, self.threshold.percentile, rank) <= 0.025)
        low_rank = max(1, math.floor(low * n / size))
        return low_rank, None if high > size else min(n, math.ceil(high * n / size))

    def _sequence(self, tally: Tally, alpha: float) -> Judgement:
        n, over, limit = tally.n, tally.over, -math.log(alpha)
        above = tally.share > self.allowed
        plain = (log_over if above else log_under)(n, over, self.allowed)
        if plain < limit:
            close = abs(tally.share / self.allowed - 1) < CLOSE
            why = "too close to the limit for so few requests" if close else "too few requests to tell"
            return Judgement("undecided", why, n, over)
        effect = design_effect(tally.batches, BATCH)
        if effect is None:
            return Judgement("undecided", "too few samples", n, over)
        effective = n / effect
        if above and log_over(effective, over / effect, HEALTHY * self.allowed) >= limit:
            return Judgement("not met", SEQUENCE_RULE, n, over, effective)
        if not above and log_under(effective, over / effect, self.allowed) >= limit:
            return Judgement("met", SEQUENCE_RULE, n, over, effective)
        return Judgement(
            "undecided", "bursts: the requests say no more than a few independent ones", n, over, effective
        )

    def _would_decide(self, n: int, share: float, effect: float) -> bool:
        limit = -math.log(ALPHA)
        if share > self.allowed:
            plain = log_over(n, share * n, self.allowed) >= limit
            return plain and log_over(n / effect, share * n / effect, HEALTHY * self.allowed) >= limit
        return log_under(n / effect, share * n / effect, self.allowed) >= limit

    def _gross(self, recent: Sequence[Counts]) -> Judgement | None:
        far = min(GROSS_TIMES * self.allowed, (1 + self.allowed) / 2)
        stretches: list[list[Counts]] = []
        count = over = 0
        for counts in reversed(recent):
            if not count:
                stretches.append([])
            stretches[-1].insert(0, counts)
            count, over = count + counts.completed, over + counts.over
            if count >= GROSS_REQUESTS:
                if over < far * count:
                    return None
                if len(stretches) == GROSS_STRETCHES:
                    break
                count = over = 0
        else:
            return None
        tally = tally_of(counts for stretch in reversed(stretches) for counts in stretch)
        effect = design_effect(tally.batches, GROSS_BATCH, enough=6, longer=4, clearly=1.0)
        if effect is None or _tail(tally.n / effect, self.allowed, tally.over / effect) > GROSS_TAIL:
            return None
        return Judgement("not met", GROSS_RULE, tally.n, tally.over, tally.n / effect)


def _tail(n: float, share: float, over: float) -> float:
    """P(at least `over` of n) if each is over with probability `share`: I_share(over, n - over + 1)."""
    if over <= 0:
        return 1.0
    if over > n:
        return 0.0
    return math.exp(log_beta_ratio(over, n - over + 1, share))


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The first rank of 1 .. size that holds, where all later ones do; size + 1: none does."""
    low, high = 1, size + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low

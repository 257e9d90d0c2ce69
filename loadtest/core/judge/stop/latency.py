"""ModelLatencyThresholds: are more than 1 - p of the requests over the limit? met, not met or undecided (S2).

"P95 is over T" means "more than q = 5 % of the requests take longer than T", so requests over T are counted, on the raw
latency, and failures count as over (S5). What is asked of n such counts is a binomial question. It is asked again at
every window, and asking a fixed-size test often is how a healthy endpoint gets stopped: with 4 % over, the rule
"P95 > T" stops about half of all runs within 3,000 requests. The rule that decides instead is one for the whole run,
`loadtest.core.stats.run_evidence`: one error probability over all its levels, all starts and all looks.

Assumed is that slow requests come in spells of 5 s on average at most, or of a 24th of a run shorter than two minutes.
A verdict says so where it matters: where slow requests come together.

The interval of the percentile is the distribution-free one of order statistics, on the effective size.
Sources: MLPerf inference rules, "Early Stopping Criterion"; Howard and Ramdas (arXiv 1906.09712); Kish (1965);
David and Nagaraja, "Order Statistics" (2003), section 7.1. No clock, no state: a verdict is a function of counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.stats.assumed import ALPHA, HEALTHY, assumed_for
from loadtest.core.stats.evidence import interval, log_over, log_under
from loadtest.core.stats.order import ranks_of
from loadtest.core.stats.run_evidence import LEAST_REQUESTS, Judgement, RunEvidence

__all__ = ["LatencyRule", "assumption"]

MOST_REQUESTS = 10_000_000  # further ahead no estimate is made
TOGETHER = 0.8  # of the requests; fewer effective ones, and what is assumed of spells matters


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """The rule that ends a run over its latency threshold. threshold: the percentile and its limit."""

    threshold: LatencyThreshold

    @property
    def allowed(self) -> float:
        """Share of requests that may be over the limit, q; decimal, since 1 - 0.95 is not the float 0.05."""
        return round(1 - self.threshold.percentile, 9)

    def evidence_over(self, level_s: Sequence[float]) -> RunEvidence:
        """What the windows of a run with levels of these lengths are shown to."""
        return RunEvidence(self.allowed, level_s)

    def evidence(self, judgement: Judgement) -> dict[str, float | int | str]:
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
            "from_s": round(judgement.from_s, 3),
        }
        if judgement.effective_n:
            effective = judgement.effective_n
            low, high = interval(effective, over * effective / n, ALPHA)
            facts |= {"effective_n": round(effective, 1), "share_low": round(low, 6), "share_high": round(high, 6)}
        return facts

    def more_requests(self, judgement: Judgement) -> int | None:
        """About how many more requests like these would decide; None: none that could be foreseen."""
        n, over = judgement.n, judgement.over
        if not n:
            return None
        effect = n / judgement.effective_n if judgement.effective_n else 1.0
        needed = max(n, LEAST_REQUESTS)
        while not self._would_decide(needed, over / n, effect):
            needed = math.ceil(needed * 1.1)
            if needed > MOST_REQUESTS:
                return None
        return needed - n or None

    def ranks(self, n: int, effective_n: float) -> tuple[int, int | None]:
        """Ranks (from 1) of the sorted latencies that enclose the percentile with 95 %; None: n has no upper one."""
        return ranks_of(self.threshold.percentile, n, effective_n)

    def _would_decide(self, n: int, share: float, effect: float) -> bool:
        limit = math.log(2) - math.log(ALPHA)
        if share > self.allowed:
            plain = log_over(n, share * n, self.allowed) >= limit
            return plain and log_over(n / effect, share * n / effect, HEALTHY * self.allowed) >= limit
        return log_under(n / effect, share * n / effect, self.allowed) >= limit


def assumption(rule: LatencyRule, run_s: float, judgement: Judgement) -> str:
    """What was assumed of spells, in words; "" where requests are as good as independent."""
    if not judgement.effective_n or judgement.effective_n >= TOGETHER * judgement.n:
        return ""
    spell_s = assumed_for(run_s, rule.allowed).spell_s
    return f"spells of {spell_s:.2g} s on average are assumed, this run holds {run_s / spell_s:.0f} of them"

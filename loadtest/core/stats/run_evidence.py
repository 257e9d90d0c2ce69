"""Is the share of requests over a limit more than the allowed q? One verdict for a whole run, at every window.

Theory. For independent requests the mixture likelihood ratio `log_over` (stats/evidence.py) is an e-process: by
Ville's inequality it reaches 1 / a with probability a at most, however often one looks, if the share is at most q. It
is taken over *stretches* from a start to now, across levels: one that begins with the run pools all levels, so a ramp
is decided that no single level could decide; one that begins every 5 s finds a breach that begins midway. One alpha is
spent over all starts: 1/2 on the run's, 1/4 on those of the later levels (the k-th gets 1 / (4 k (k - 1))), 1/4 evenly
on the restarts. So *if requests are independent*, an endpoint at the very limit is stopped with probability alpha over
the whole run, whatever the number of levels and looks (plus the 1e-5 tails of the gross rule).

Dependence. Nothing free of assumptions can be said about dependent requests, since a spell may be as long as it likes.
Assumed is: spells of slow requests last 5 s on average (a 24th of a run shorter than 120 s), with an exponential tail.
Besides the plain evidence against q a stop needs evidence against 0.8 q on the number of independent *events*
(stats/clusters.py). That second test is calibrated by simulation, GUARD below its threshold; its error is what
docs/method.md measured, no theorem.

Rules, in this order:
    cold start  a level that begins >= 90 % over, for at most 10 s or 10 % of it: left out, and named. One that goes on
                is a breach after 10 s, later in later levels, where a spell is likelier to lie at some start.
    lasting     >= half over in every window of 10 to 30 s, anywhere; in a run longer than 120 s, of 5 s ln(run / 120 s)
                more, since one of its many spells may last so long. So it is with midway.
    gross       the first 5 s of the first level (a later one: up to 25 s): every window >= 3 q, together >= 6.4 q,
                beyond chance (1e-5), and no beginning or end of it is e^5.5 times likelier at q than at the share of
                the whole (a change-point test, after Page, 1954): a shorter spell begins or ends within it.
    level       evidence since a level's start; "pooled" if that was an earlier level's.
    midway      evidence since a restart, of 40 s or more (60 s if requests depend on each other), with 85 % of its
                blocks of 5 s over q.
The last two also need a fifth of the evidence without the worst 15 to 25 s of the stretch: no single spell is a breach.
"Met" is evidence on the events that the share is below q; a level spends alpha / (k (k + 1)) on it. It stops nothing.

Only sums per slice and window enter, so any split over generators gives the same answer. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loadtest.core.stats.assumed import ALPHA, HEALTHY, MIDWAY_BLOCKS, Assumed, assumed_for
from loadtest.core.stats.clusters import design_effect, events
from loadtest.core.stats.cold import ColdStart, ColdStarts
from loadtest.core.stats.evidence import log_beta_ratio, log_over, log_under
from loadtest.core.stats.starts import Starts
from loadtest.core.stats.timeline import Timeline

__all__ = ["COLD", "GROSS", "LASTING", "LEVEL", "MIDWAY", "POOLED", "RUN", "Answer", "Judgement", "RunEvidence"]

Answer = Literal["met", "not met", "undecided"]

COLD, LASTING, GROSS = "cold start that does not end", "lasting breach", "gross breach"
LEVEL, POOLED, MIDWAY = "evidence of the level", "evidence of several levels", "evidence since midway"
RUN = "evidence of the run"

GROSS_EACH, GROSS_MEAN = 3.0, 6.4  # times q
GROSS_TAIL = 1e-5
GROSS_REQUESTS = 50
ENDS_NATS = 5.5  # evidence that a gross breach has begun later, or ended before
ENDS_REQUESTS = 250  # that the shortest one counts as at most: of many a second, few that miss are no end of it
LEAST_REQUESTS = 100
LEAST_WINDOWS = 3
REST_TIMES, REST_EVIDENCE = 1.1, 0.2  # without its worst, a stretch is over so many times q, with so much evidence
WORST_SHARE = 0.4
GUARD = 1.5  # the second test's discount, in nats
CLOSE = 0.5  # a share over the limit that is off the allowed one by less than this share of it


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the counts say. rule: which rule decided, or why none could.

    n, over: of the stretch that was judged, which begins at from_s; effective_n: None: too few to tell.
    """

    answer: Answer
    rule: str
    n: int
    over: int
    effective_n: float | None = None
    from_s: float = 0.0


class RunEvidence:
    """The evidence that a run as a whole is over its limit. allowed: share q. level_s: planned lengths of the levels,
    in order; windows are then observed one by one. starts: where it is gathered from, so far.
    """

    def __init__(self, allowed: float, level_s: Sequence[float], assumed: Assumed | None = None) -> None:
        run_s = sum(level_s)
        self.allowed = allowed
        self.assumed = assumed or assumed_for(run_s, allowed)
        self.timeline = Timeline()
        self._cold = ColdStarts(allowed, level_s, self.assumed)
        self.starts = Starts(self.assumed, run_s)
        self._limit = -math.log(ALPHA)
        self._number = 0  # of the level, from 1
        self._level: Hashable = None
        self._first = 0  # window in which the level begins
        self._gross_each = min(GROSS_EACH * allowed, (1 + allowed) / 2)
        self._gross_open, self._gross_s, self._delay_s = False, 0.0, 0.0
        self._slow: int | None = None  # since which window requests have been slow without a break

    @property
    def level_begin(self) -> int:
        """The window in which the level, or what follows its cold start, begins."""
        return self._cold.begin

    @property
    def cold_starts(self) -> Sequence[ColdStart]:
        """Those that were left out."""
        return self._cold.found

    def observe(
        self, start_s: float, end_s: float, n: int, over: int, batches: Sequence[tuple[int, int]], level: Hashable
    ) -> Judgement | None:
        """The breach that is seen after one more window; None: none. batches: as in `Counts.over_batches`."""
        i = self.timeline.add(start_s, end_s, n, over, batches)
        if not i or level != self._level:
            self._new_level(i, level)
        else:
            self.starts.restart(i, start_s - self.timeline.at_s(self._first))
        if over < max(0.5, self._gross_each) * n:
            self._slow = None
        elif n and self._slow is None:
            self._slow = i
        return self._breach(i, n, over)

    def standing(self, first: int, *, spent: float = 1.0) -> Judgement:
        """Of the windows from `first` to now, "met" or "undecided". spent: the share of alpha to be spent on it."""
        end, q = len(self.timeline), self.allowed
        n, over = self.timeline.counts(first, end)
        from_s = self.timeline.at_s(first)

        def found(answer: Answer, rule: str, effective: float | None = None) -> Judgement:
            return Judgement(answer, rule, int(n), int(over), effective, from_s)

        if not n:
            return found("undecided", "no requests")
        many = events(*self.timeline.slices(first, end)) if over else n
        short = self.timeline.length_s(first, end) < self.assumed.least_s - 1e-6 or end - first < LEAST_WINDOWS
        if many is None or n < LEAST_REQUESTS or short:
            return found("undecided", "too few samples")
        effective = n * min(1.0, many / over) if over else n
        if over < q * n and log_under(effective, over * effective / n, q) >= self._limit - math.log(spent):
            return found("met", LEVEL, effective)
        if over < q * n and log_under(n, over, q) >= self._limit - math.log(spent):
            return found("undecided", "slow requests come together: they are few independent events", effective)
        close = abs(over / n / q - 1) < CLOSE
        why = "too close to the limit for so few requests" if close else "too few requests to tell"
        return found("undecided", why, effective)

    def _new_level(self, i: int, level: Hashable) -> None:
        self._number += 1
        k = self._number
        self._level, self._first = level, i
        self._cold.enter(i, k, level)
        self.starts.enter(i, k)
        self._delay_s = self.assumed.level_delay_s(k)
        self._gross_open, self._gross_s = True, self.assumed.gross_s
        if k > 1:
            longer_s = 2 * self.assumed.spell_s + self.assumed.level_delay_s(k * (k - 1) / 2)
            self._gross_s += min(4 * self.assumed.spell_s, longer_s)

    def _breach(self, i: int, n: int, over: int) -> Judgement | None:
        share = over / n if n else None
        slow_s = 0.0
        if self._slow is not None:
            slow_s = self.timeline.length_s(self._slow, i + 1)
            if slow_s >= self.assumed.lasting_s - 1e-6 and i + 1 - self._slow >= LEAST_WINDOWS:
                return self._not_met(LASTING, self._slow)
        cold = self._cold.step(self.timeline, i, share, slow_s)
        if cold != "no":
            return self._not_met(COLD, self._first) if cold == "endless" else None
        if share is not None and self._gross(i + 1, share):
            return self._not_met(GROSS, self._cold.begin)
        return self._sequences(i + 1)

    def _gross(self, end: int, share: float) -> bool:
        begin, q = self._cold.begin, self.allowed
        if not self._gross_open:
            return False
        if share < self._gross_each:
            self._gross_open = False
            return False
        n, over = self.timeline.counts(begin, end)
        short = self.timeline.length_s(begin, end) < self._gross_s - 1e-6 or end - begin < LEAST_WINDOWS
        if short or n < GROSS_REQUESTS or over < min(GROSS_MEAN * q, (1 + q) / 2) * n:
            return False
        if not self._gross_to_its_ends(begin, end):
            return False
        effect = design_effect(*self.timeline.slices(begin, end))
        return effect is not None and _tail(n / effect, q, over / effect) < GROSS_TAIL

    def _gross_to_its_ends(self, begin: int, end: int) -> bool:
        n, over = (each.ravel() for each in self.timeline.slices(begin, end))
        share = min(float(over.sum() / n.sum()), 1 - 1e-9)
        nats = over * math.log(self.allowed / share) + (n - over) * math.log((1 - self.allowed) / (1 - share))
        many = float(n.sum()) * self.assumed.gross_s / self.timeline.length_s(begin, end)
        most = ENDS_NATS * max(1.0, many / ENDS_REQUESTS)
        return all(float(np.cumsum(each).max()) < most for each in (nats, nats[::-1]))

    def _sequences(self, end: int) -> Judgement | None:
        for start in self.starts.worth_asking(self.timeline, end, self.allowed):
            if self._stretch_is_over(start.window, end, start.limit, midway=start.midway):
                rule = MIDWAY if start.midway else LEVEL if start.window == self._first else POOLED
                return self._not_met(rule, start.window)
        return None

    def _stretch_is_over(self, first: int, end: int, limit: float, *, midway: bool) -> bool:
        c, q = self.assumed, self.allowed
        n, over = self.timeline.counts(first, end)
        length_s = self.timeline.length_s(first, end)
        if midway and (length_s < c.midway_s or self._blocks_over(first, end) < MIDWAY_BLOCKS):
            return False
        if log_over(n, over, q) < limit or not self._without_worst(first, end, limit):
            return False
        many = events(*self.timeline.slices(first, end))
        if many is None or (midway and many < 0.999 * over and length_s < c.midway_dependent_s):
            return False
        return log_over(n * many / over, many, HEALTHY * q) >= limit - GUARD

    def _blocks_over(self, first: int, end: int) -> float:
        """Share of the stretch's blocks, counted back from its end, that are over q."""
        windows = end - first
        size = max(1, round(self.assumed.block_s * windows / self.timeline.length_s(first, end)))
        sums, over_sums = self.timeline.sums(end - windows // size * size, end)
        n, over = np.diff(sums[::size]), np.diff(over_sums[::size])
        return float((over > self.allowed * n).mean())

    def _without_worst(self, first: int, end: int, limit: float) -> bool:
        c, length_s = self.assumed, self.timeline.length_s(first, end)
        worst_s = min(c.worst_most_s, max(c.worst_s + self._delay_s, WORST_SHARE * length_s))
        if length_s < worst_s + c.rest_s - 1e-6:
            return False
        size = min(end - first, max(1, round(worst_s * (end - first) / length_s)))
        sums, over_sums = self.timeline.sums(first, end)
        at = int(np.argmax(over_sums[size:] - over_sums[:-size]))
        n = float(sums[-1] - sums[0] - sums[at + size] + sums[at])
        over = float(over_sums[-1] - over_sums[0] - over_sums[at + size] + over_sums[at])
        enough = n > 0 and over > REST_TIMES * self.allowed * n
        return enough and log_over(n, over, self.allowed) >= REST_EVIDENCE * limit

    def _not_met(self, rule: str, first: int) -> Judgement:
        end = len(self.timeline)
        n, over = self.timeline.counts(first, end)
        many = events(*self.timeline.slices(first, end))
        effective = n * min(1.0, many / over) if many and over else None
        return Judgement("not met", rule, int(n), int(over), effective, self.timeline.at_s(first))


def _tail(n: float, share: float, over: float) -> float:
    """P(at least `over` of n) if each is over with probability `share`: I_share(over, n - over + 1)."""
    if over <= 0:
        return 1.0
    return 0.0 if over > n else math.exp(log_beta_ratio(over, n - over + 1, share))

"""A candidate for the stop rule, measured and not used yet: one verdict for a whole run, looked at every window.

Is the share of requests over a limit more than the allowed q? Figures: benchmarks/RUN_EVIDENCE.md.

Theory. For independent requests the mixture likelihood ratio `log_over` of stats/evidence.py is an e-process: by
Ville's inequality it reaches 1 / a with probability a at most, however often one looks, if the share is at most q. The
evidence is taken over *stretches* from a start point to now, across levels: a stretch that begins with the run pools
all levels, so a ramp is decided that no single level could decide; one that begins every 5 s finds a breach that begins
midway. One alpha is spent over all start points (their weights sum to one): 1/2 for the start of the run, 1/4
for the starts of the later levels (the k-th gets 1 / (4 k (k - 1))), 1/4 spread evenly over the restarts. So *if
requests are independent*, an endpoint at the very limit is stopped with probability alpha over the whole run by rules 3
and 4, whatever the number of levels and looks, plus the 1e-6 tails of rule 1.

Dependence. Nothing distribution-free can be said about dependent requests (a spell may be arbitrarily long), so what is
assumed is written down; beside the plain evidence against q, a stop needs evidence against 0.8 q on the number of
*events*, K = O^2 / (sum of squared spell sizes + d x the other requests over) (Kish's effective size), where
    - a spell is a run of windows at least (1 + share) / 2 over, with the two windows beside it: one event;
    - d is the design effect of the rest: the largest variance ratio between groups of 10, 20, 40, ... requests, groups
      made of time slots. If all ratios are 1 within noise, d = 1. Otherwise d is extrapolated to the stretch's length
      by the ratios' growth over scales (significant, or, where clustering is weak but not nil at the smallest one, by a
      presumed power of up to 0.5: such clustering, as in long-range dependence of H = 0.8, has no visible end).
Assumed of spells: mean length 5 s or less, exponential tail. A spell at a level's start cannot be told from a breach
sooner; hence the times below. The second test's threshold is lower by e^1.5:
it is a calibrated guard, not a martingale; its error is what RUN_EVIDENCE.md measured, no theorem.

Rules, all on windows of about one second, in this order:
  0 cold start  a level that begins >= 90 % over, for at most min(10 s, 10 % of the level): left out, with the window in
                which it ends, and named. Longer than 10 s (+ 5 s ln k(k+1)/2 for the k-th level): "cold start that does
                not end".
    lasting     >= 50 % over in every window of min(30, max(10, 5 q run length)) seconds, anywhere.
  1 gross       the k-th level's first 5 s (k > 1: 15 s + 5 s ln k(k-1)/2, at most 25 s): every window >= 3 q, together
                >= 6.4 q, binomial tail of the effective counts < 1e-6.
  3 sequence    stretch from a level's start ("pooled": if it has crossed into a later level).
  4 midway      stretch from a restart: >= 40 s (60 s if requests are dependent), and >= 85 % of its 5 s blocks over q.
  3, 4          also without its worst 15 s (+ 5 s ln k; 40 % of the stretch if more; at most 25 s) a stretch must
                be over 1.1 q with a fifth of the evidence: no single presumed spell makes a breach.
"Met" (looked at every 5 s): evidence on the effective counts, with d as above, that the share since the run began is
below q; it is a fact to report, not a stop.

Merging is exact: only sums per slot and window enter, so any split over workers gives the same answer when slots are
summed. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from loadtest.core.stats.evidence import log_beta_ratio, log_over, log_under

__all__ = ["Assumed", "Finding", "RunEvidence", "design_effect"]

Floats = NDArray[np.float64]
SLOTS = 10


@dataclass(frozen=True, slots=True)
class Assumed:
    """The rule's numbers; RUN_EVIDENCE.md was measured with these."""

    alpha: float = 0.01
    healthy: float = 0.8  # times q: the share that must not be stopped, dependent or not
    saturated: float = 0.9  # share over in a window: nothing gets through
    hot: float = 0.5
    mean_spell_s: float = 5.0
    cold_s: float = 10.0
    cold_share: float = 0.1  # of the level
    gross_s: float = 5.0
    gross_each: float = 3.0  # times q
    gross_mean: float = 6.4  # times q
    gross_tail: float = 1e-6
    least_s: float = 10.0
    least_n: int = 100
    midway_s: float = 40.0
    midway_dependent_s: float = 60.0
    midway_blocks: float = 0.85
    block_s: float = 5.0
    worst_s: float = 15.0
    worst_share: float = 0.4
    worst_most_s: float = 25.0
    rest_s: float = 5.0
    rest_times: float = 1.1
    rest_evidence: float = 0.2
    guard: float = 1.5  # the second test's discount, in nats
    groups: int = 8  # the fewest that give a variance
    growth_sigmas: float = 2.0
    presumed_growth: float = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """answer: "met", "not met" or "undecided". level: the one being judged. facts: JSON values."""

    answer: str
    rule: str
    level: int | None
    facts: dict[str, float | int | str] = field(default_factory=dict)


class RunEvidence:
    """q: allowed share. levels: (start_s, length_s) planned, in order. Windows are then observed one by one."""

    def __init__(self, q: float, levels: Sequence[tuple[float, float]], assumed: Assumed | None = None) -> None:
        self.q, self.levels, self.c = q, tuple(levels), assumed or Assumed()
        run_s = sum(length for _, length in levels)
        self.lasting_s = min(30.0, max(10.0, 5 * q * run_s))
        self._limit = -math.log(self.c.alpha)
        self._restart_limit = self._limit + math.log(4 * max(1, (run_s - self.c.midway_s) // self.c.block_s))
        room = 256
        self._n, self._o = np.zeros((room, SLOTS)), np.zeros((room, SLOTS))
        self._t, self._cn, self._co = np.zeros(room + 1), np.zeros(room + 1), np.zeros(room + 1)
        self._size = 0
        self._starts: list[int] = []
        self._limits: list[float] = []
        self._midway: list[bool] = []
        self._number = 0  # of the level, from 1
        self._level: int | None = None
        self._first = self._begin = 0  # window in which the level, and its part after a cold start, begins
        self._cold, self._gross_open, self._next_restart = "no", False, 0.0
        self._extra_s = self._gross_s = self._cold_most = 0.0
        self._hot_s = 0.0
        self.cold_starts: list[tuple[int | None, float]] = []  # (level, seconds), as found
        self.stopped: Finding | None = None
        self._last, self._next_standing = Finding("undecided", "too few requests to tell", None), -math.inf

    def observe(
        self, start_s: float, n: int, over: int, slots: Sequence[tuple[int, int]], level: int | None = 0
    ) -> Finding:
        """The verdict after one more window. Once "not met", it stays."""
        if self.stopped is not None:
            return self.stopped
        i = self._add(start_s, n, over, slots, level)
        rule, begin = self._breach(i, n, over)
        if rule:
            self.stopped = self._finding("not met", rule, begin, i + 1)
            return self.stopped
        if start_s >= self._next_standing:
            self._next_standing = start_s + self.c.block_s
            self._last = self._standing(i + 1)
        return replace(self._last, level=level)

    # --- windows -----------------------------------------------------------------------------------------------

    def _add(self, start_s: float, n: int, over: int, slots: Sequence[tuple[int, int]], level: int | None) -> int:
        i = self._size
        if i + 2 > len(self._n):
            for name in ("_n", "_o", "_t", "_cn", "_co"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate((old, np.zeros((len(self._n), *old.shape[1:])))))
        if i == 0 or level != self._level:
            self._new_level(i, start_s, level)
        elif start_s - self._t[self._first] >= self._next_restart - 1e-9:
            self._next_restart += self.c.block_s
            self._start(i, self._restart_limit, midway=True)
        pairs = np.array(slots, np.float64).reshape(-1, 2)
        self._n[i, : len(pairs)], self._o[i, : len(pairs)] = pairs[:, 0], pairs[:, 1]
        width = start_s - self._t[i - 1] if i else 1.0
        self._t[i], self._t[i + 1] = start_s, start_s + width
        self._cn[i + 1], self._co[i + 1] = self._cn[i] + n, self._co[i] + over
        self._hot_s = self._hot_s + width if n and over >= self.c.hot * n else 0.0
        self._size = i + 1
        return i

    def _new_level(self, i: int, start_s: float, level: int | None) -> None:
        c = self.c
        self._number += 1
        k = self._number
        self._level, self._first, self._begin, self._t[i] = level, i, i, start_s
        self._cold, self._gross_open, self._next_restart = "maybe", True, c.block_s
        self._start(i, self._limit + (math.log(2) if k == 1 else math.log(4 * k * (k - 1))), midway=False)
        self._cold_most = min(c.cold_s, c.cold_share * self.levels[min(k, len(self.levels)) - 1][1])
        self._extra_s = c.mean_spell_s * math.log(k)
        self._gross_s = c.gross_s
        if k > 1:
            self._gross_s += min(4 * c.mean_spell_s, c.mean_spell_s * (2 + math.log(k * (k - 1) / 2)))

    def _start(self, i: int, limit: float, *, midway: bool) -> None:
        self._starts.append(i)
        self._limits.append(limit)
        self._midway.append(midway)

    # --- rules -------------------------------------------------------------------------------------------------

    def _breach(self, i: int, n: int, over: int) -> tuple[str, int]:
        share = over / n if n else 0.0
        if self._hot_s >= self.lasting_s - 1e-9:
            return "lasting", max(0, i + 1 - round(self._hot_s))
        cold = self._cold_start(i, share)
        if cold is not None:
            return cold, self._first
        if self._gross(i + 1, share):
            return "gross", self._begin
        return self._sequences(i + 1)

    def _cold_start(self, i: int, share: float) -> str | None:
        """None: judge on. "": the window belongs to a cold start. Else the rule that is broken."""
        c, first = self.c, i == self._first
        if self._cold == "maybe":
            self._cold = "cold" if share >= c.saturated else "perhaps" if share >= 4 * self.q else "no"
        elif self._cold == "perhaps":
            self._cold = "cold" if share >= c.saturated else "no"
        if self._cold != "cold":
            return None
        if first or share >= c.hot:
            k = self._number
            longest = min(self.lasting_s, c.cold_s + c.mean_spell_s * math.log(k * (k + 1) / 2))
            ended = self._t[i + 1] - self._t[self._first] > self._cold_most and self._hot_s >= longest
            return "cold start that does not end" if ended else ""
        length = float(self._t[i] - self._t[self._first])
        self._cold = "no"
        if length > self._cold_most:
            return None
        a = self._first
        self._n[a : i + 1], self._o[a : i + 1] = 0, 0
        self._cn[a : i + 2], self._co[a : i + 2] = self._cn[a], self._co[a]
        self._begin = i + 1
        self.cold_starts.append((self._level, length))
        return ""

    def _gross(self, t: int, share: float) -> bool:
        c, b, q = self.c, self._begin, self.q
        if not self._gross_open or t <= b:
            return False
        if share < c.gross_each * q:
            self._gross_open = False
            return False
        n, over = self._cn[t] - self._cn[b], self._co[t] - self._co[b]
        far = min(c.gross_mean * q, (1 + q) / 2)
        if self._t[t] - self._t[b] < self._gross_s - 1e-9 or n < 50 or over < far * n:
            return False
        d = design_effect(self._n[b:t], self._o[b:t], c)
        return d is not None and _tail(n / d, q, over / d) < c.gross_tail

    def _sequences(self, t: int) -> tuple[str, int]:
        c, q = self.c, self.q
        starts = np.array(self._starts)
        n, over = self._cn[t] - self._cn[starts], self._co[t] - self._co[starts]
        wide = (over > q * n) & (n >= c.least_n) & (self._t[t] - self._t[starts] >= c.least_s)
        if not wide.any():
            return "", 0
        p = np.where(wide, over / np.maximum(n, 1), 0.5)
        # n KL(p, q) is an upper bound of the evidence, and cheap.
        bound = n * (p * np.log(p / q) + (1 - p) * np.log(np.maximum(1 - p, 1e-300) / (1 - q)))
        for x in np.flatnonzero(wide & (bound >= np.array(self._limits))):
            s, midway = int(starts[x]), self._midway[x]
            if self._stretch_is_over(s, t, self._limits[x], midway, float(n[x]), float(over[x])):
                return "midway" if midway else "sequence" if s == self._first else "pooled", s
        return "", 0

    def _stretch_is_over(self, s: int, t: int, limit: float, midway: bool, n: float, over: float) -> bool:
        c, q = self.c, self.q
        length = self._t[t] - self._t[s]
        if midway and (length < c.midway_s or self._blocks_over(s, t) < c.midway_blocks):
            return False
        if log_over(n, over, q) < limit or not self._without_worst(s, t, limit, n, over):
            return False
        events = self._events(s, t)
        if events is None or (midway and events < 0.999 * over and length < c.midway_dependent_s):
            return False
        return log_over(n * events / over, events, c.healthy * q) >= limit - c.guard

    def _blocks_over(self, s: int, t: int) -> float:
        """Share of the stretch's blocks, counted back from its end, that are over q."""
        size = max(1, round(self.c.block_s * (t - s) / float(self._t[t] - self._t[s])))
        from_ = t - (t - s) // size * size
        n, over = np.diff(self._cn[from_ : t + 1 : size]), np.diff(self._co[from_ : t + 1 : size])
        return float((over > self.q * n).mean())

    def _without_worst(self, s: int, t: int, limit: float, n: float, over: float) -> bool:
        c = self.c
        length = float(self._t[t] - self._t[s])
        worst_s = min(c.worst_most_s, max(c.worst_s + self._extra_s, c.worst_share * length))
        if length < worst_s + c.rest_s - 1e-9:
            return False
        size = max(1, round(worst_s * (t - s) / length))
        cn, co = self._cn[s : t + 1], self._co[s : t + 1]
        at = int(np.argmax(co[size:] - co[:-size]))
        n, over = n - float(cn[at + size] - cn[at]), over - float(co[at + size] - co[at])
        enough = n > 0 and over > c.rest_times * self.q * n
        return enough and log_over(n, over, self.q) >= c.rest_evidence * limit

    # --- dependence --------------------------------------------------------------------------------------------

    def _events(self, s: int, t: int) -> float | None:
        """K, the number of independent events the requests over amount to; None: too few groups to tell."""
        n, o = self._n[s:t], self._o[s:t]
        window_n, window_o = n.sum(1), o.sum(1)
        total = float(window_o.sum())
        rest, squares = np.ones(t - s, np.bool_), 0.0
        for a, b in self._spells(window_n, window_o):
            size = float(window_o[a:b][rest[a:b]].sum())
            squares += size * size
            rest[a:b] = False
        rest_over = float(window_o[rest].sum())
        if rest_over <= 0:
            return total * total / squares if squares else 0.0
        d = design_effect(n[rest], o[rest], self.c)
        if d is None:
            if rest.all():
                return None
            d = max(float(SLOTS), math.sqrt(squares))
        return total * total / (squares + d * rest_over)

    def _spells(self, n: Floats, over: Floats) -> list[tuple[int, int]]:
        """Stretches of windows in which slow requests come together, with the windows beside them."""
        total = float(n.sum())
        bar = (1 + float(over.sum()) / total) / 2 if total else 1.0
        hot = (n > 0) & (over >= bar * n)
        if not hot.any():
            return []
        edges = np.flatnonzero(np.diff(np.concatenate(([0], hot.astype(np.int8), [0]))))
        found: list[tuple[int, int]] = []
        for a, b in edges.reshape(-1, 2).tolist():
            if b - a >= 2 or over[a] >= self.c.saturated * n[a]:
                a, b = max(0, a - 1), min(len(n), b + 1)
                if found and a <= found[-1][1]:
                    found[-1] = (found[-1][0], b)
                else:
                    found.append((a, b))
        return found

    # --- reporting ---------------------------------------------------------------------------------------------

    def _standing(self, t: int) -> Finding:
        n, over, q = float(self._cn[t]), float(self._co[t]), self.q
        if n < self.c.least_n or over >= q * n or self._t[t] - self._t[0] < 2 * self.c.least_s:
            return Finding("undecided", "too few requests to tell", self._level)
        if log_under(n, over, q) < self._limit:
            return Finding("undecided", "too close to the limit for so few requests", self._level)
        events = self._events(0, t) if over else 1.0
        if events is None:
            return Finding("undecided", "too few samples", self._level)
        d = max(1.0, over / events if events else 1.0)
        if log_under(n / d, over / d, q) < self._limit:
            return Finding("undecided", "slow requests come together: few independent events", self._level)
        return Finding("met", "run", self._level, {"n": int(n), "over": int(over), "effective_n": round(n / d, 1)})

    def _finding(self, answer: str, rule: str, s: int, t: int) -> Finding:
        n, over = float(self._cn[t] - self._cn[s]), float(self._co[t] - self._co[s])
        spells = self._spells(self._n[s:t].sum(1), self._o[s:t].sum(1)) if t > s else []
        events = self._events(s, t) if over else 0.0
        facts: dict[str, float | int | str] = {
            "from_s": float(self._t[s]),
            "to_s": float(self._t[t]),
            "n": int(n),
            "over": int(over),
            "over_share": over / n if n else 0.0,
            "allowed_share": self.q,
            "events": round(events, 1) if events else 0.0,
            "spells": len(spells),
            "longest_spell_s": float(max((b - a for a, b in spells), default=0)),
            "cold_starts": len(self.cold_starts),
        }
        return Finding(answer, rule, self._level, facts)


def design_effect(n: Floats, o: Floats, c: Assumed | None = None) -> float | None:
    """How many requests over make one event, from counts by window and slot; None: too few groups of ten."""
    c = c or Assumed()
    total, over = float(n.sum()), float(o.sum())
    if not 0 < over < total:
        return 1.0
    p = over / total
    cn, co = np.cumsum(n), np.cumsum(o)
    found: list[tuple[float, int, float]] = []
    size = 10.0
    while total / size >= c.groups:
        ends = np.unique(np.searchsorted(cn, np.arange(1, int(total / size + 1e-9) + 1) * size - 1e-9))
        a, b = np.diff(cn[ends], prepend=0.0), np.diff(co[ends], prepend=0.0)
        m = len(a)
        if m < c.groups:
            break
        found.append((size, m, float(((b - p * a) ** 2).sum()) / (p * (1 - p) * float(a.sum())) * m / (m - 1)))
        size *= 2
    if not found:
        return None
    s, m, v = (np.array(column, np.float64) for column in zip(*found, strict=True))
    noise = np.sqrt(2 / (m - 1))
    if v[0] < 1 + 2.5 * noise[0] and (v < 1 + 2.33 * noise).all():
        return 1.0
    at = int(np.argmax(v / (1 + noise)))
    best = max(1.0, float(v[at])) * float(m[at]) / max(float(m[at]) - 2, 1.0)
    # Weak clustering at the smallest scale has no visible end; a full one (v near 10) is a burst, whose end is seen.
    growth = c.presumed_growth * (1 - min(1.0, (float(v[0]) - 1) / 5.4))
    top = min(5, len(v))
    if top >= 3:
        x, y, w = np.log(s[-top:]), np.log(np.maximum(v[-top:], 0.05)), (m[-top:] - 1) / 2
        centred = x - (w * x).sum() / w.sum()
        spread = float((w * centred**2).sum())
        slope = float((w * centred * y).sum()) / spread
        if slope > c.growth_sigmas / math.sqrt(spread):
            growth = max(growth, slope)
    return best * (total / float(s[at])) ** min(max(growth, 0.0), 1.0)


def _tail(n: float, share: float, over: float) -> float:
    """P(at least `over` of n) if each is over with probability `share`."""
    if over <= 0:
        return 1.0
    return 0.0 if over > n else math.exp(log_beta_ratio(over, n - over + 1, share))

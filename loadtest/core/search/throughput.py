"""What is known of throughput over users: which load is the best, which may be, and where a better one could lie.

    X(n)    successes a second with n users; g = 10 % of what a single user brings (stats/plateau.py)
    worth   X(n) - g n: highest where the plateau begins, beyond which each added user brings less than g
    hope    X is concave in the large: between two loads it lies below the lines through their neighbours, and below the
            highest X seen. With c servers these lines meet in c.

Sources: Denning and Buzen (1978), the asymptotic bounds. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from loadtest.core.search.reading import Reading
from loadtest.core.stats.evidence import log_over
from loadtest.core.stats.plateau import least_gain
from loadtest.core.stats.rates import mean_rate
from loadtest.core.stats.student import student

__all__ = ["Held", "Throughput"]

ALPHA = 0.01  # of calling failures too many
LEAVES = 2.0  # standard errors that are enough to leave a load; a result asks for more (stats/plateau.py)
LEAST_WINDOWS, LEAST_REQUESTS, PRECISE = 5, 30, 0.03


@dataclass(slots=True)
class Held:
    """One load, its windows in the order of time. ok: successes of each."""

    users: int
    ok: list[int] = field(default_factory=list)
    length_s: list[float] = field(default_factory=list)
    n: int = 0
    failed: int = 0

    def add(self, reading: Reading) -> None:
        """One more window."""
        self.ok.append(reading.ok)
        self.length_s.append(reading.end_s - reading.start_s)
        self.n += reading.n
        self.failed += reading.n - reading.ok

    @property
    def rate(self) -> tuple[float, float, int]:
        """(successes a second, standard error, degrees of freedom)."""
        if len(self.ok) < 2:
            return sum(self.ok) / max(sum(self.length_s), 1e-9), math.inf, 1
        return mean_rate(self.ok, self.length_s)

    def interval(self, confidence: float) -> tuple[float | None, float | None]:
        """(successes a second, half of the width of their interval); None: not known."""
        if not self.ok:
            return None, None
        rate, error, freedom = self.rate
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        return rate, student(z, freedom) * error if math.isfinite(error) else None


@dataclass(slots=True)
class Throughput:
    """Throughput at the loads that were held. levels: by users.

    ceiling: loads from here on do not count: they fail too often, or the generator cannot. max_error_ratio: None: they
    may fail. confidence: of the interval of the best load.
    """

    max_error_ratio: float | None
    confidence: float
    levels: dict[int, Held] = field(default_factory=dict)
    ceiling: float = math.inf

    def level(self, users: int) -> Held:
        """Of this load, made if need be."""
        return self.levels.setdefault(users, Held(users))

    def best(self) -> int | None:
        """The load with the highest worth, the smallest of equals; None: nothing succeeded."""
        good = [n for n, level in self.levels.items() if n < self.ceiling and any(level.ok) and not self.fails(n)]
        return max(good, key=lambda users: (self._worth(users), -users), default=None)

    def fails(self, users: int) -> bool:
        """More requests are shown to fail there than may."""
        level, most = self.levels.get(users), self.max_error_ratio
        if level is None or most is None or not level.failed:
            return False
        return level.failed > most * level.n and log_over(level.n, level.failed, most) >= -math.log(ALPHA)

    def decided(self, users: int) -> bool:
        """Its throughput is known well enough, also to say how its worth compares with the best of the others."""
        level = self.levels[users]
        if len(level.ok) < LEAST_WINDOWS or level.n < LEAST_REQUESTS:
            return False
        rate, error, freedom = level.rate
        others = [n for n in self.levels if n != users and n < self.ceiling]
        # The spread of few windows is itself uncertain.
        wide = student(LEAVES, freedom)
        if wide * error > 2 * PRECISE * rate or not others:
            return wide * error <= 2 * PRECISE * rate
        best = max(others, key=lambda n: (self._worth(n), -n))
        return abs(self._worth(users) - self._worth(best)) > wide * self._error(users, best)

    def higher(self, max_users: int) -> int | None:
        """Twice the highest load, as long as the highest is the best; None: it is not, or there is none higher."""
        top = max(users for users in self.levels if users < self.ceiling)
        users = min(2 * top, max_users)
        return users if self.best() == top < users < self.ceiling else None

    def between(self, within: float) -> Iterator[int]:
        """Loads beside the best that could be better by `within`, a share of its rate, the most promising one first."""
        best = self.best()
        if best is None:
            return
        held = sorted(users for users in self.levels if users < self.ceiling)
        rates, at = [self.levels[users].rate[0] for users in held], held.index(best)
        hopes = [self._hope(held, rates, left) for left in (at - 1, at) if 0 <= left < len(held) - 1]
        if at + 1 == len(held) and best + 1 < self.ceiling < math.inf:
            hopes.append((math.inf, int((best + self.ceiling) // 2)))  # what fails lies above: as near to it as can be
        for hope, users in sorted(hopes, reverse=True):
            if hope > within * rates[at]:
                yield users

    def doubtful(self, within: float, most_s: float) -> int | None:
        """A load beside the best that may serve more by `within`, a share, and was held for less than `most_s`."""
        best = self.best()
        if best is None:
            return None
        held = sorted(users for users in self.levels if users < self.ceiling)
        at = held.index(best)
        for users in held[at + 1 : at + 2] + held[max(at - 1, 0) : at]:
            rate, error, freedom = self.levels[users].rate
            reach = rate + student(LEAVES, freedom) * error
            if sum(self.levels[users].length_s) < most_s and reach > (1 + within) * self.levels[best].rate[0]:
                return users
        return None

    def bounds(self, best: int) -> tuple[float, float | None]:
        """(lowest, highest) load that may be the best: not beyond one that is shown to be worse; None: none is."""
        worse = self.worse(best)
        above = [users for users in worse if users > best]
        return max((n for n in worse if n < best), default=0) + 1.0, min(above) - 1.0 if above else None

    def worse(self, best: int) -> list[int]:
        """The loads that are shown to be worth less, or to fail too often."""
        z = NormalDist().inv_cdf(1 - (1 - self.confidence) / 4)
        less = [n for n in self.levels if n != best and self._worth(best) - self._worth(n) > z * self._error(n, best)]
        return sorted({*less, *(n for n in self.levels if self.fails(n))})

    def _hope(self, held: list[int], rates: list[float], left: int) -> tuple[float, int]:
        """(by how much a load between two held ones could exceed the best, a second, that load)."""
        right = left + 1
        inside = np.arange(held[left] + 1, held[right])
        if not len(inside):
            return -math.inf, held[left]
        users, rate = (held[left - 1], rates[left - 1]) if left else (0, 0.0)
        rise = (rates[left] - rate) / (held[left] - users)
        bound = np.minimum(rates[left] + rise * (inside - held[left]), max(rates))
        if right + 1 < len(held):
            fall = (rates[right + 1] - rates[right]) / (held[right + 1] - held[right])
            bound = np.minimum(bound, rates[right] - fall * (held[right] - inside))
        best = self.best()
        hope = bound - self._gain * inside - (0.0 if best is None else self._worth(best))
        return float(hope.max()), int(inside[int(np.argmax(hope))])

    @property
    def _gain(self) -> float:
        """What an added user brings at least, or it is no gain: g."""
        return least_gain([(users, level.rate[0]) for users, level in self.levels.items()])

    def _worth(self, users: int) -> float:
        return self.levels[users].rate[0] - self._gain * users

    def _error(self, one: int, other: int) -> float:
        return math.hypot(self.levels[one].rate[1], self.levels[other].rate[1])

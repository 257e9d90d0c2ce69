"""Does an endpoint wander with a memory about as long as a level? Then one run's levels are a few draws of the wander.

Blocks within a level (`dependence.py`) measure a memory that is short against the level. A longer one lies in the
levels' own means, where it looks like a difference between the sides. What windows still show of it is that neighbours
resemble each other. So each level is cut into at most 16 blocks, and a model is fitted to all levels together:

    cov(block i, block j) = v ((1 - s) [i = j] + s exp(-|i - j| / (m tau)))

independent noise and a wander with the memory tau, in lengths of a level of m blocks (an Ornstein-Uhlenbeck process);
v and the levels' means are free: restricted maximum likelihood, on a grid of s and tau. A wander is believed where it
explains the blocks better than noise alone does, by BELIEVED in the logarithm of the likelihood. How large it is a few
levels cannot say: they rarely tell a long memory from a longer one. The largest variance of a level's mean is taken
that the likelihood does not speak against (90 %, Wilks), so that rows become undecided, not wrong.

Source: Patterson, Thompson, Biometrika 58 (1971), restricted likelihood. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from loadtest.core.compare.dependence import Floats, Series

__all__ = ["BELIEVED", "Memory", "memory_of"]

BELIEVED = 1.5
AGAINST = 1.35  # half of the 90 % quantile of chi-squared with one degree of freedom
BLOCKS, LEAST_BLOCKS = 16, 4
LEAST_LEVELS = 2
TAUS = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.7, 3.0, 6.0)
SHARES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Memory:
    """evidence: of a wander against noise alone, in nats, 0 or more.

    effect: the variance of a level's count over that of independent requests, at most. tau: with that memory, in
    lengths of a level. together: the variance of the mean of a run's levels over that of as many levels that know
    nothing of each other.
    """

    evidence: float = 0.0
    effect: float = 0.0
    tau: float = 0.0
    together: float = 1.0

    @property
    def believed(self) -> bool:
        return self.evidence > BELIEVED


class _Model(NamedTuple):
    """Of one s and tau. inverse, log_determinant: of the covariance of the blocks without the level's mean.

    mean: variance of a level's sum over that of one block.
    """

    tau: float
    share: float
    inverse: Floats
    log_determinant: float
    mean: float


def memory_of(levels: Sequence[Series], adjacent: int) -> Memory:
    """levels: of all runs. adjacent: how many of them follow each other in a run."""
    used = [level for level in levels if level.expected > 0 and level.variance > 0]
    blocks = min(BLOCKS, *(len(level.residuals) for level in used)) if used else 0
    if blocks < LEAST_BLOCKS or len(used) < LEAST_LEVELS:
        return Memory()
    contrasts, models = _models(blocks)
    sums = np.array([_cut(level, blocks) for level in used]) @ contrasts
    fits = []
    for model in models:
        variance = float(np.einsum("ij,jk,ik->", sums, model.inverse, sums)) / sums.size
        likelihood = -sums.size / 2 * math.log(variance) - len(sums) / 2 * model.log_determinant
        fits.append((likelihood, variance * model.mean, model))
    best = max(likelihood for likelihood, _, _ in fits)
    noise_alone = fits[0][0]
    effect, model = max(
        ((effect, model) for likelihood, effect, model in fits if likelihood >= best - AGAINST),
        key=lambda each: each[0],
    )
    return Memory(best - noise_alone, effect, model.tau, _together(model, blocks, adjacent))


def _cut(level: Series, blocks: int) -> Floats:
    """Sums of so many blocks, whose variance is 1 if all is independent. What is left over is at the beginning."""
    length = len(level.residuals) // blocks
    kept = level.residuals[len(level.residuals) - length * blocks :].reshape(blocks, length)
    sums: Floats = kept.sum(axis=1) / math.sqrt(level.expected * length / len(level.residuals))
    return sums


@lru_cache(maxsize=BLOCKS)
def _models(blocks: int) -> tuple[Floats, tuple[_Model, ...]]:
    """(contrasts that know nothing of the level's mean, noise alone and then every wander)."""
    whole = np.eye(blocks) - 1 / blocks
    contrasts = np.linalg.svd(whole)[0][:, : blocks - 1]
    found = []
    for tau, share in [(TAUS[0], 0.0), *((tau, share) for tau in TAUS for share in SHARES)]:
        covariance = _covariance(tau, share, blocks, blocks)
        projected = contrasts.T @ covariance @ contrasts
        determinant = float(np.linalg.slogdet(projected)[1])
        found.append(_Model(tau, share, np.linalg.inv(projected), determinant, float(covariance.mean()) * blocks))
    return contrasts, tuple(found)


def _covariance(tau: float, share: float, blocks: int, of_level: int) -> Floats:
    at = np.arange(blocks)
    wander: Floats = np.exp(-np.abs(at[:, None] - at) / (of_level * tau))
    return share * wander + (1 - share) * np.eye(blocks)


def _together(model: _Model, blocks: int, adjacent: int) -> float:
    alone = float(_covariance(model.tau, model.share, blocks, blocks).mean()) / adjacent
    return float(_covariance(model.tau, model.share, blocks * adjacent, blocks).mean()) / alone

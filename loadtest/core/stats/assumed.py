"""What is assumed of slow requests that come together, and the numbers of the rule that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ALPHA", "HEALTHY", "MIDWAY_BLOCKS", "Assumed", "assumed_for"]

ALPHA = 0.01  # of a whole run
HEALTHY = 0.8  # times the allowed share: what must not be stopped, dependent or not

MIDWAY_BLOCKS = 0.85  # of a stretch from midway, its blocks that must be over
FULL_RUN_S = 120.0
SPELL_S = 5.0
SPELLS = FULL_RUN_S / SPELL_S  # of the assumed length that a run holds at least


@dataclass(frozen=True, slots=True)
class Assumed:
    """The numbers of `RunEvidence`. spell_s: the mean length of spells, with an exponential tail; others follow.

    cold_s, cold_share: the longest cold start that is left out, also as a share of its level.
    gross_s: what a gross breach at the run's start takes. lasting_s: what slow windows without a break take.
    least_s, midway_s, midway_dependent_s: the shortest stretch that is judged from a level's start, from midway, and
        from midway where requests depend on each other. block_s: restarts lie so far apart.
    worst_s .. worst_most_s: without so much of it, its worst, a stretch must still be over.
    Those that a single spell anywhere in the run could last (lasting, midway, worst_most) are longer in a longer run.
    """

    spell_s: float = SPELL_S
    cold_s: float = 10.0
    gross_s: float = 5.0
    lasting_s: float = 30.0
    least_s: float = 10.0
    midway_s: float = 40.0
    midway_dependent_s: float = 60.0
    block_s: float = 5.0
    worst_s: float = 15.0
    worst_most_s: float = 25.0
    rest_s: float = 5.0
    cold_share: float = 0.1

    def level_delay_s(self, levels: float) -> float:
        """What has to be waited longer because a spell may happen to lie at any of so many starts."""
        return self.spell_s * math.log(levels)


def assumed_for(run_s: float, allowed: float) -> Assumed:
    """For a run of `run_s` in which a share of `allowed` may be over.

    Spells are assumed to last 5 s on average, or a 24th of a shorter run: a run that is not many times as long as its
    spells cannot tell a spell from a breach, and says nothing of spells longer than that.
    """
    times = min(1.0, run_s / FULL_RUN_S)
    lasting_s = min(30.0 * times, max(10.0 * times, 5 * allowed * run_s))
    if times == 1.0:
        # The longest of n spells with an exponential tail is longer by the logarithm of n, and n grows with the run.
        more_s = SPELL_S * math.log(run_s / FULL_RUN_S)
        of_blocks_s = more_s / MIDWAY_BLOCKS
        return Assumed(
            lasting_s=lasting_s + more_s,
            midway_s=40.0 + of_blocks_s,
            midway_dependent_s=60.0 + of_blocks_s,
            worst_most_s=25.0 + more_s,
        )
    return Assumed(
        spell_s=times * SPELL_S,
        cold_s=times * 10.0,
        gross_s=times * 5.0,
        lasting_s=lasting_s,
        least_s=times * 10.0,
        midway_s=times * 40.0,
        midway_dependent_s=times * 60.0,
        block_s=times * 5.0,
        worst_s=times * 15.0,
        worst_most_s=times * 25.0,
        rest_s=times * 5.0,
    )

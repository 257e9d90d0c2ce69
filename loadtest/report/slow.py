"""Where the slow requests of a run came together, in words: its spells, the worst of them, cold starts, scale-outs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from loadtest.core.judge.slow import Spell
from loadtest.core.result.result import RunResult
from loadtest.report.words import duration, milliseconds, percent, plural

__all__ = ["slow_lines"]

MAX_COLD = 3
WORTH_TELLING = 0.1  # of the requests over the limit; fewer of them in spells are no matter


def slow_lines(result: RunResult) -> Iterator[Text]:
    """Nothing where slow requests came alone, or where none succeeded: then they failed, and the errors say how."""
    slow, threshold = result.slow, result.plan.stop.latency
    if slow is None or threshold is None or not result.totals.ok:
        return
    for cold in slow.cold_starts[:MAX_COLD]:
        where = "the run" if not cold.start_s else f"level {cold.level}"
        yield Text(f"  Cold start of {where}: {_spell(cold, threshold.name)}; judged apart", style="yellow")
    if len(slow.cold_starts) > MAX_COLD:
        yield Text(f"  and {plural(len(slow.cold_starts) - MAX_COLD, 'cold start')} more", style="yellow")
    for each in slow.scale_outs[:MAX_COLD]:
        yield Text(f"  When the endpoint scaled out: {_spell(each, threshold.name)}", style="yellow")
    if len(slow.scale_outs) > MAX_COLD:
        yield Text(f"  and {plural(len(slow.scale_outs) - MAX_COLD, 'scale-out')} more", style="yellow")
    if slow.worst is None or slow.spell_over < WORTH_TELLING * slow.over:
        return
    yield Text(
        f"  Slow requests came together: {percent(slow.spell_over / slow.over)} of them in"
        f" {plural(slow.spells, 'spell')} of {duration(slow.mean_s)} on average"
    )
    told = _spell(slow.worst, threshold.name)
    if result.trust.client_limited:
        yield Text(f"  The worst spell: {told}; the generator set the pace, so nothing is said of the endpoint by it")
    else:
        yield Text(f"  In the worst spell the threshold was not met: {told}", style="yellow")


def _spell(spell: Spell, percentile: str) -> str:
    value = "" if spell.value_ms is None else f", {percentile} {milliseconds(spell.value_ms)} ms"
    share = percent(spell.over / spell.n)
    return f"{duration(spell.length_s)} from {duration(spell.start_s)} on, {share} over the limit{value}"

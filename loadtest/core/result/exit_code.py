"""What a run's result means to the shell. No clock, no I/O."""

from __future__ import annotations

from loadtest.core.judge.decision import REASONS, Reason
from loadtest.core.result.result import RunResult

__all__ = ["SILENT_SHARE", "exit_code"]

SILENT_SHARE = 0.1  # of a run in which next to nothing succeeded: its figures are of the rest alone
EXIT_UNTRUSTED = 3
EXIT_NOT_MET = 99


def exit_code(result: RunResult, *, gate: bool, strict: bool) -> int:
    """The exit code of `loadtest run` (docs/decisions.md). A failed or interrupted run is not judged further.

    gate: a threshold that was not met, the job's or another, or a rate that did not hold when confirmed, is 99.
    strict: a result that cannot be trusted, an endpoint that answered next to nothing well for a tenth of the run, or a
    threshold or a confirmation that is undecided, is 3; doubts in the run come before 99, because a verdict of such a
    run says nothing. A search that found no capacity is 3, always: that is the answer that was asked for.
    """
    code = REASONS[result.reason].exit_code
    if code:
        return code
    answer = None if result.overall is None else result.overall.answer
    if strict and (not result.trust.valid or result.trust.client_limited or result.totals.lost_workers):
        return EXIT_UNTRUSTED
    if strict and result.silent_share >= SILENT_SHARE:
        return EXIT_UNTRUSTED
    if result.searched and (result.capacity is None or result.capacity.finding != "found"):
        return EXIT_UNTRUSTED
    held = None if result.confirmation is None else result.confirmation.answer
    others = {verdict.answer for verdict in result.thresholds}
    if gate and (answer == "not met" or result.reason is Reason.LATENCY or held == "not held" or "not met" in others):
        return EXIT_NOT_MET
    if strict and not result.searched and result.plan.stop.latency is not None and answer not in ("met", "not met"):
        return EXIT_UNTRUSTED
    if strict and (held == "undecided" or "undecided" in others):
        return EXIT_UNTRUSTED
    return 0

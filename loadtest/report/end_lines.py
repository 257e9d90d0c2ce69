"""The lines of run.log that the end of a run writes: why it ended, on what evidence, and what was wrong. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from loadtest.core.judge.decision import REASONS
from loadtest.core.result.result import RunResult

__all__ = ["end_lines"]


def end_lines(result: RunResult, problems: Iterable[str] = ()) -> Iterator[tuple[str, float | None]]:
    """(text, epoch seconds of the event; None: not told). problems: besides the result's own."""
    ended_at = None if result.started_at is None else result.started_at + result.totals.length_s
    yield f"ended {result.reason.value}: {REASONS[result.reason].sentence}", ended_at
    yield f"evidence: {json.dumps(result.evidence)}", ended_at
    for reason in result.trust.reasons:
        yield f"trust {reason.code}: {reason.text}; {reason.advice}", ended_at
    for problem in (*result.problems, *problems):
        yield f"problem: {problem}", ended_at
    for line in result.log_tail:
        yield f"generator: {line}", None

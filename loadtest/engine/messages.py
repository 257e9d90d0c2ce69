"""What a parent and its generator process say to each other: JSON, one message a line. Bytes in, bytes out; no I/O.

parent -> child     keys     variables for its environment that nobody else is to see, where KEYS_FOLLOW is in it; first
                    plan     the Plan, once
                    stop     end in order: no new request, drain, report
                    (end of file) the parent is gone: end at once
child -> parent     listening a master waits for workers on this port
                    joined   a worker came: its host, how many there are, of how many
                    workers  the workers as they are now, one having been lost
                    ready    the target is open, and what it tells of itself (facts); the run starts at epoch time
                             started_at; the workers, if there are some
                    window   one Window, with how near each stop condition is
                    starts   users started and stopped since the last such message: the schedule's audit
                    stopping the decision: reason and evidence; requests in flight are being drained
                    done     all is over; totals that no window holds; the workers again
                    failed   it cannot go on: whose fault it is, and the problems, each with its members (`failure`)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from loadtest.errors import EngineError, LoadtestError, Problem, SpecError, TargetError

__all__ = [
    "CHILD_KINDS",
    "JOIN_S",
    "KEYS_FOLLOW",
    "MAX_TEXT",
    "PARENT_KINDS",
    "MessageLines",
    "encode",
    "failure",
    "failure_text",
    "heard_failure",
]

JOIN_S = 600.0  # so long do a run and workers that somebody starts elsewhere wait for each other
MAX_TEXT = 4096  # characters of a text that a worker tells its master

PARENT_KINDS = frozenset({"keys", "plan", "stop"})
KEYS_FOLLOW = "LOADTEST_KEYS_FOLLOW"
CHILD_KINDS = frozenset({"listening", "joined", "workers", "ready", "window", "starts", "stopping", "done", "failed"})


def encode(kind: str, **members: Any) -> bytes:
    """One message as a line. NaN is refused (ValueError): it is not JSON."""
    return json.dumps({"kind": kind, **members}, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def failure(problem: Exception) -> dict[str, Any]:
    """Members of the message `failed` that tells of an exception; a text that is too long for a master is cut."""
    if isinstance(problem, SpecError):
        return {"fault": "spec", "problems": [_cut(each) for each in problem.problems]}
    text = str(problem) if isinstance(problem, LoadtestError) else f"{type(problem).__name__}: {problem}"
    fault = "target" if isinstance(problem, TargetError) else "engine"
    return {"fault": fault, "problems": [_cut(Problem("", "", text))]}


def _cut(problem: Problem) -> dict[str, str]:
    return {name: text[:MAX_TEXT] for name, text in asdict(problem).items()}


def heard_failure(message: Mapping[str, Any]) -> LoadtestError:
    """The exception that a message `failed` tells of, as its sender had it."""
    problems = [Problem(**each) for each in message["problems"]]
    if message["fault"] == "spec":
        return SpecError(problems)
    return (TargetError if message["fault"] == "target" else EngineError)("; ".join(each.rule for each in problems))


def failure_text(message: Mapping[str, Any]) -> str:
    """What a message `failed` says, on one line."""
    return "; ".join(str(heard_failure(message)).splitlines())


class MessageLines:
    """Splits received bytes into messages, however they were cut on the way.

    kinds: the message kinds that may come this way.
    """

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        """Every message completed by `data`. Raises EngineError for anything that is not one."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                raise EngineError(f"not a message: {line[:200]!r}") from None
            if not isinstance(message, dict) or message.get("kind") not in self._kinds:
                raise EngineError(f"unknown message: {line[:200]!r}")
            yield message

"""What an endpoint's containers wrote to CloudWatch Logs in the minutes of a run in which requests failed.

Few lines, short ones, only such as speak of an error, and without what looks like a secret: they explain failures, and
are no copy of the log. Source: API reference of FilterLogEvents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.aws.clients import UNANSWERED, Clients, aws_words, is_absent, is_forbidden
from loadtest.core.result.result import RunResult
from loadtest.errors import masked
from loadtest.jobs.arn import partition_of
from loadtest.jobs.redact import redacted

__all__ = ["MOST_LINES", "error_lines", "harmless", "minutes_with_errors"]

MINUTE_S = 60
MOST_MINUTES = 10  # with the most failures
MOST_LINES, MOST_PAGES, PAGE = 20, 5, 100
LONGEST = 300  # characters of a line
PATTERN = "?ERROR ?Error ?error ?Exception ?exception ?Traceback ?CRITICAL ?FATAL ?Fatal ?fatal ?failed ?Failed"
SPEAKS = re.compile("error|exception|traceback|critical|fatal|failed", re.IGNORECASE)
SECRETS = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}"),
    re.compile(r"(?i)(?<=bearer )[^\s\"']+"),
    re.compile(
        r"(?i)(?<![a-z])((?:[a-z]+[-_])*(?:password|passwd|secret|token|api[-_]?key|access[-_]?key(?:[-_]?id)?|"
        r"authorization|credential)s?[\"']?\s*[:=]\s*[\"']?)(?!bearer )[^\s\"',;}]+"
    ),
)


def minutes_with_errors(result: RunResult) -> list[int]:
    """Beginnings (epoch seconds) of the run's minutes in which requests failed by no fault of this client's, in order;
    of many those with the most failures.
    """
    if result.started_at is None:
        return []
    failures: Counter[int] = Counter()
    for window in result.windows:
        failed = window.counts.failed - window.counts.own
        if failed > 0:
            at_s = result.started_at + (window.start_s + window.end_s) / 2
            failures[int(at_s // MINUTE_S) * MINUTE_S] += failed
    return sorted(minute for minute, _ in failures.most_common(MOST_MINUTES))


def error_lines(clients: Clients, group: str, minutes: Sequence[int]) -> dict[str, Any]:
    """group, lines (at: epoch seconds, stream, message), more: there were others; problem: why it could not be read.

    Nothing is asked without minutes.
    """
    found: dict[str, Any] = {"group": group, "lines": [], "more": False, "problem": ""}
    try:
        for first, end in _stretches(minutes):
            room = MOST_LINES - len(found["lines"])
            lines, more = _read(clients, group, first, end, room)
            found["lines"] += lines
            found["more"] = found["more"] or more
            if found["more"]:
                break
    except UNANSWERED as problem:
        found["problem"] = _why(clients, group, problem)
    return found


def harmless(text: str) -> str:
    """A line as it is kept: cut, in one piece, and with what looks like a secret replaced by `...`."""
    for secret in SECRETS:
        text = secret.sub(lambda hit: f"{hit[1] if hit.re.groups else ''}...", text)
    text = " ".join(masked(redacted(text)).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _stretches(minutes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Minutes that follow each other, joined: (beginning, end)."""
    first = end = None
    for minute in minutes:
        if first is None or end is None:
            first = minute
        elif minute != end:
            yield first, end
            first = minute
        end = minute + MINUTE_S
    if first is not None and end is not None:
        yield first, end


def _read(clients: Clients, group: str, first: int, end: int, room: int) -> tuple[list[dict[str, Any]], bool]:
    """(at most `room` lines, whether there are more)."""
    lines: list[dict[str, Any]] = []
    pages = clients.client("logs").get_paginator("filter_log_events")
    span = {"startTime": 1000 * first, "endTime": 1000 * end - 1}
    told = pages.paginate(logGroupName=group, filterPattern=PATTERN, PaginationConfig={"PageSize": PAGE}, **span)
    for number, page in enumerate(told):
        for event in page.get("events", ()):
            # Who does not know the pattern sends every line.
            if not SPEAKS.search(event["message"]):
                continue
            if len(lines) == room:
                return lines, True
            at = round(event["timestamp"] / 1000, 3)
            lines.append({"at": at, "stream": event["logStreamName"], "message": harmless(event["message"])})
        if number + 1 == MOST_PAGES:
            return lines, "nextToken" in page
    return lines, False


def _why(clients: Clients, group: str, problem: Exception) -> str:
    if is_forbidden(problem):
        where = f"arn:{partition_of(clients.region)}:logs:{clients.region}:*:log-group:{group}:*"
        return f"AWS does not permit logs:FilterLogEvents on {where}"
    if is_absent(problem):
        return f"there is no log group {group}"
    return aws_words(problem)

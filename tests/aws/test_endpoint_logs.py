"""The endpoint's log lines of the minutes with errors: few, short, and without what looks like a secret."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aws_front import Door, Refusal
from emulator_client import connect
from told import FIRST_AT, plan_of, run_of

from loadtest.aws.clients import Clients
from loadtest.aws.endpoint_logs import MOST_LINES, error_lines, harmless, minutes_with_errors
from loadtest.core.result.result import RunResult

GROUP = "/aws/sagemaker/Endpoints/e"
MINUTE = int(time.time()) // 60 * 60 - 3600  # CloudWatch Logs takes nothing older than two weeks


def put(door: Door, lines: Mapping[float, str], stream: str = "v0/i-1") -> None:
    logs = connect(door.behind, "logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [{"timestamp": round(1000 * at), "message": text} for at, text in sorted(lines.items())]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def failing(*seconds: int, kind: str = "server-error") -> RunResult:
    result = run_of(plan_of(steps=1), lambda s: 40.0)
    windows = (
        replace(each, counts=replace(each.counts, errors={kind: 3})) if each.index in seconds else each
        for each in result.windows
    )
    return replace(result, windows=tuple(windows))


def test_the_minutes_are_those_in_which_requests_failed() -> None:
    assert minutes_with_errors(failing()) == []
    assert minutes_with_errors(failing(0, 40, 41, 200)) == [FIRST_AT, FIRST_AT + 60, FIRST_AT + 180]
    assert minutes_with_errors(failing(40, kind="local")) == [], "this machine's own failures are not in its log"
    assert minutes_with_errors(replace(failing(40), started_at=None)) == []


def test_lines_that_speak_of_errors_in_those_minutes(door: Door, clients: Clients) -> None:
    lines = {
        MINUTE - 1.0: "ERROR before",
        MINUTE + 1.0: "GET /ping 200",
        MINUTE + 2.5: "Traceback (most recent call last):\n  File x",
        MINUTE + 65.0: "worker failed",
        MINUTE + 125.0: "ERROR after",
    }
    put(door, lines)
    found = error_lines(clients, GROUP, [MINUTE, MINUTE + 60])
    assert found["lines"] == [
        {"at": MINUTE + 2.5, "stream": "v0/i-1", "message": "Traceback (most recent call last): File x"},
        {"at": MINUTE + 65.0, "stream": "v0/i-1", "message": "worker failed"},
    ]
    assert (found["more"], found["problem"]) == (False, "")
    (question,) = door.made("FilterLogEvents")
    assert question["logGroupName"] == GROUP
    assert "?ERROR" in question["filterPattern"]


def test_there_are_never_more_than_a_few(door: Door, clients: Clients) -> None:
    put(door, {MINUTE + i / 100: f"ERROR {i}" for i in range(300)})
    found = error_lines(clients, GROUP, [MINUTE, MINUTE + 120])
    assert (len(found["lines"]), found["more"]) == (MOST_LINES, True)
    assert len(door.made("FilterLogEvents")) == 1


def test_nothing_is_asked_where_nothing_failed(door: Door, clients: Clients) -> None:
    assert error_lines(clients, GROUP, [])["problem"] == ""
    assert not door.made("FilterLogEvents")


def test_what_may_not_be_read_or_is_not_there_is_said(door: Door, clients: Clients) -> None:
    assert error_lines(clients, GROUP, [MINUTE])["problem"] == f"there is no log group {GROUP}"
    door.refuse["FilterLogEvents"] = Refusal("AccessDeniedException", "no")
    words = error_lines(clients, GROUP, [MINUTE])["problem"]
    assert words == (
        "AWS does not permit logs:FilterLogEvents on arn:aws:logs:us-east-1:*:log-group:/aws/sagemaker/Endpoints/e:*"
    )
    door.refuse["FilterLogEvents"] = Refusal("ThrottlingException", "slower")
    assert "ThrottlingException when calling FilterLogEvents" in error_lines(clients, GROUP, [MINUTE])["problem"]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("error: out of memory", "error: out of memory"),
        ("error password=hunter2 for bob", "error password=... for bob"),
        ('failed: {"api_key": "k-123", "user": "a"}', 'failed: {"api_key": "...", "user": "a"}'),
        ("Authorization: Bearer abc.def failed", "Authorization: Bearer ... failed"),
        ("error HF_TOKEN=hf_abc, retrying", "error HF_TOKEN=..., retrying"),
        ("error with AKIAIOSFODNN7EXAMPLE", "error with ..."),
        ("cannot reach https://u:pw@host/x", "cannot reach https://...@host/x"),
        ("error at https://b.s3/x?X-Amz-Signature=abc&y=1", "error at https://b.s3/x?X-Amz-Signature=REDACTED&y=1"),
        ("tokenizer error: 5 tokens", "tokenizer error: 5 tokens"),
    ],
)
def test_what_looks_like_a_secret_is_not_kept(line: str, kept: Any) -> None:
    assert harmless(line) == kept


def test_a_long_line_is_cut() -> None:
    assert harmless("error " + "x" * 1000) == "error " + "x" * 294 + "..."

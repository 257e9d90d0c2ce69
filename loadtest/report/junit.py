"""`junit.xml`: what a run was asked to keep as test cases, which every CI shows.

The format has no schema of its own; this is the subset that Jenkins, GitLab and the GitHub reporters read: testsuites,
testsuite and testcase with failure, error and skipped. Undecided is skipped, INVALID an error.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from loadtest.core.result.result import RunResult
from loadtest.report.checks import Check, checks_of

__all__ = ["junit_xml"]

ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def junit_xml(result: RunResult) -> str:
    """The whole file. The run's length is the time of its first case, the others take none."""
    checks = checks_of(result)
    name = _text(result.label or str((result.job or {}).get("JobName", "")) or "load test")
    root = Element("testsuites", {"name": name, **_counts(checks), "time": f"{result.totals.length_s:.3f}"})
    for group, cases in groupby(checks, lambda check: check.group):
        listed = list(cases)
        time_s = result.totals.length_s if group == "run" else 0.0
        suite = SubElement(root, "testsuite", {"name": group, **_counts(listed), "time": f"{time_s:.3f}"})
        if result.started_at is not None:
            started = datetime.fromtimestamp(result.started_at, UTC)
            suite.set("timestamp", started.replace(tzinfo=None).isoformat(timespec="seconds"))
        for check in listed:
            _case(suite, check, f"{name}.{group}", time_s)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, check: Check, classname: str, time_s: float) -> None:
    case = SubElement(suite, "testcase", classname=classname, name=_text(check.name), time=f"{time_s:.3f}")
    element = ELEMENTS.get(check.outcome)
    if element is not None:
        found = SubElement(case, element, message=_text(f"{check.answer}: {check.why}" if check.why else check.answer))
        if element != "skipped":
            found.set("type", _text(check.answer))
            found.text = _text(check.why)
    else:
        SubElement(case, "system-out").text = _text(f"{check.answer}: {check.why}" if check.why else check.answer)


def _counts(checks: tuple[Check, ...] | list[Check]) -> dict[str, str]:
    outcomes = [check.outcome for check in checks]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count("failed")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
    }


def _text(text: str) -> str:
    """Without what XML 1.0 cannot hold, not even escaped: an endpoint's error may have anything in it."""
    return _NOT_XML.sub("?", text)

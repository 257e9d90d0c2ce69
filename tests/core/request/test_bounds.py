"""One kind of bound for every setting: what it takes, and what it says of the rest."""

from __future__ import annotations

import math

import pytest

from loadtest.core.request.bounds import FLAG, Bound
from loadtest.core.request.findings import Findings
from loadtest.errors import SpecError

NUMBER, WHOLE, TEXT = Bound("number", 0, 1), Bound("whole", 1), Bound("text", 1, 3)
ABOVE = Bound("number", 0, above=True)


@pytest.mark.parametrize(
    ("bound", "value", "rule"),
    [
        (NUMBER, 0, None),
        (NUMBER, 0.5, None),
        (NUMBER, 1.1, "must be in 0..1"),
        (NUMBER, -1, "must be in 0..1"),
        (NUMBER, 10**400, "must be in 0..1"),
        (NUMBER, math.inf, "must be in 0..1"),
        (NUMBER, math.nan, "must be a finite number"),
        (NUMBER, True, "must be a number"),
        (NUMBER, "1", "must be a number"),
        (NUMBER, None, "must be a number"),
        (Bound("number"), -math.inf, "must be a finite number"),
        (WHOLE, 1, None),
        (WHOLE, 0, "must be at least 1"),
        (WHOLE, 1.0, "must be a whole number"),
        (WHOLE, False, "must be a whole number"),
        (Bound("whole", high=5), 6, "must be at most 5"),
        (ABOVE, 0, "must be above 0"),
        (ABOVE, 1e-9, None),
        (TEXT, "abc", None),
        (TEXT, "", "must have 1..3 characters"),
        (TEXT, 5, "must be a text"),
        (Bound(allowed=str.isascii, noun="plain"), "ü", "must be plain"),
        (Bound("number", 0, 1, noun="a share"), 2, "must be a share"),
        (Bound(choices=("red", "blue")), "red", None),
        (Bound(choices=("red", "blue")), "bleu", "is not a valid value"),
        (Bound(choices=("red",)), ["red"], "is not a valid value"),
        (Bound(choices=("red",), optional=True), None, None),
        (Bound("whole", 1, optional=True), None, None),
        (FLAG, False, None),
        (FLAG, 0, "must be true or false"),
    ],
    ids=str,
)
def test_what_a_value_may_be(bound: Bound, value: object, rule: str | None) -> None:
    fault = bound.fault(value)
    assert (fault and fault[0]) == rule


def test_findings_collect_them_with_their_places() -> None:
    findings = Findings(where="file: ")
    assert findings.check(("a",), 1, WHOLE)
    assert not findings.check(("a", 0, "b c"), 5, Bound("number", 0, 1, advice="a share"))
    assert not findings.check(("d",), "x" * 99, WHOLE, "cut")
    with pytest.raises(SpecError) as refused:
        findings.raise_errors()
    assert [str(each) for each in refused.value.problems] == [
        "file: a[0].'b c': must be in 0..1 (got 5); a share",
        "file: d: must be a whole number (got cut)",
    ]


def test_a_million_problems_are_not_kept() -> None:
    findings = Findings()
    for i in range(5000):
        findings.check((i,), None, WHOLE)
    assert len(findings.problems) == 1000
    with pytest.raises(SpecError, match="there are more than 1000 problems"):
        findings.raise_errors()

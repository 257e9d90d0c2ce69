"""Any JSON value against a schema: what is kept, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.request.findings import Findings
from loadtest.core.request.schema import REQUEST, Array, Integer, Node, Structure, Text
from loadtest.core.request.validation import MAX_ITEMS, validate

COUNT = Integer(min=1, max=9, low=2, high=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def said(value: object, node: Node, *, strict: bool = True) -> list[str]:
    findings = Findings(strict)
    validate(value, node, ("x",), findings)
    return [str(problem) for problem in (*findings.problems, *findings.warnings({"x": value}))]


@pytest.mark.parametrize(
    ("value", "node", "words"),
    [
        (3, COUNT, None),
        (0, COUNT, "must be at least 1"),
        (1, COUNT, "must be at least 2"),
        (7, COUNT, "must be at most 5"),
        (10, COUNT, "must be at most 9"),
        (2**31, COUNT, "32 bits"),
        (3.0, COUNT, "write 3"),
        ("3", COUNT, "write 3 without quotes"),
        (True, COUNT, "must be an integer"),
        (None, COUNT, "leave the member out"),
        ("ab", Text(1, 3, "[a-z]+"), None),
        ("", Text(1, 3), "at least 1 characters"),
        ("abcd", Text(1, 3), "at most 3 characters, has 4"),
        ("A", Text(pattern="[a-z]+"), "must match"),
        ("ä1", Text(pattern=r"\w+"), "must match"),
        ("\ud800", Text(), "Unicode"),
        ("rde", Text(enum=("red",)), "did you mean red"),
        (5, Text(), "put it in quotes"),
        ([1], Array(Integer(), max=2), None),
        ([], Array(Integer(), min=1), "is empty"),
        ([1] * 3, Array(Integer(), max=2), "at most 2 items"),
        (1, Array(Integer()), "put it in brackets"),
        ({"a": 1}, Structure({"a": Integer()}, ("a",)), None),
        ({}, Structure({"a": Integer()}, ("a",)), "x.a: is required"),
        ({"aa": 1}, Structure({"a": Integer()}), "x.aa: is not a valid member"),
        ([], Structure({}), "must be an object"),
    ],
)
def test_deviations(value: object, node: Node, words: str | None) -> None:
    found = said(value, node)
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


@pytest.mark.parametrize(("value", "errors"), [(1, 0), (7, 0), (0, 1), (10, 1)])
def test_what_the_documents_bound_is_a_warning_where_that_is_relaxed(value: int, errors: int) -> None:
    findings = Findings(strict=False)
    validate(value, COUNT, ("x",), findings)
    assert len(findings.problems) == errors
    assert len(findings.warnings({"x": value})) == 1 - errors


def test_what_is_of_a_wrong_type_is_left_out() -> None:
    node = Structure({"a": Integer(), "b": Array(Text())})
    assert validate({"a": "1", "b": ["x", 5], "c": 0}, node, (), Findings()) == {"b": ["x", None]}


def test_a_list_without_end_is_refused_whole() -> None:
    assert said([0] * (MAX_ITEMS + 1), Array(Integer())) == [
        f"x: must have at most {MAX_ITEMS} items (got a list of 1001)"
    ]


@given(JSON)
def test_no_value_raises(value: object) -> None:
    validate(value, REQUEST, (), Findings())

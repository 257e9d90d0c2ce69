from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.engine.messages import (
    CHILD_KINDS,
    PARENT_KINDS,
    MessageLines,
    encode,
    failure,
    failure_text,
    heard_failure,
)
from loadtest.errors import EngineError, LoadtestError, Problem, SpecError, TargetError

PROBLEMS = st.builds(Problem, *[st.text("ab: ;/\n", max_size=9)] * 4)
MESSAGES = [("window", {"index": 3}), ("done", {"cut": 0}), ("failed", {"problems": ['ä\n"x"']})]


@given(st.lists(st.sampled_from(MESSAGES)), st.lists(st.integers(1, 40)))
def test_messages_arrive_however_they_are_cut(sent: list[tuple[str, dict[str, object]]], cuts: list[int]) -> None:
    data = b"".join(encode(kind, **members) for kind, members in sent)
    lines, received = MessageLines(CHILD_KINDS), []
    for cut in [*cuts, len(data)]:
        received += list(lines.feed(data[:cut]))
        data = data[cut:]
    assert received == [{"kind": kind, **members} for kind, members in sent]


@pytest.mark.parametrize("line", [b"\n", b"nonsense\n", b"[]\n", b'{"kind":"no such"}\n', b"{}\n", b"\xff\xfe\n"])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(EngineError, match="message"):
        list(MessageLines(PARENT_KINDS).feed(line))


def test_a_message_of_the_other_direction_is_refused() -> None:
    with pytest.raises(EngineError, match="unknown message"):
        list(MessageLines(PARENT_KINDS).feed(encode("done")))


def test_nan_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode("window", p50_ms=float("nan"))


@given(
    st.one_of(
        st.builds(SpecError, st.lists(PROBLEMS, min_size=1, max_size=3)),
        st.builds(TargetError, st.text("ab: ;\n")),
        st.builds(EngineError, st.text("ab: ;\n")),
    )
)
def test_a_failure_arrives_as_it_was(sent: LoadtestError) -> None:
    (message,) = MessageLines(CHILD_KINDS).feed(encode("failed", **failure(sent)))
    heard = heard_failure(message)
    assert type(heard) is type(sent)
    assert str(heard) == str(sent)
    if isinstance(sent, SpecError) and isinstance(heard, SpecError):
        assert heard.problems == sent.problems
    assert "\n" not in failure_text(message)


def test_what_nobody_foresaw_is_the_engines_failure() -> None:
    heard = heard_failure(failure(KeyError("x: y")))
    assert isinstance(heard, EngineError)
    assert str(heard) == "KeyError: 'x: y'"

"""Heads of answers, read once and remembered."""

from __future__ import annotations

from answers_made import CORPUS, damaged, responses, text
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.wire.head import Head, HeadReader, read_head
from loadtest.wire.http1 import ResponseParser


def test_a_reader_of_heads_is_shared_and_bounded() -> None:
    reader = HeadReader()
    one, other = ResponseParser(reader), ResponseParser(reader)
    for i in range(3000):
        assert one.feed(b"HTTP/1.1 200 OK\r\nX: %d\r\nContent-Length: 0\r\n\r\n" % i)
        one.reset()
    assert 0 < len(reader.heads) <= 256
    assert 0 < len(reader.lines) <= 1024
    known = next(iter(reader.heads))
    assert other.feed(known)
    assert other.head is reader.heads[known]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(responses().map(lambda made: made[0]), damaged()), max_size=8))
def test_what_a_reader_remembers_changes_no_verdict(seen: list[bytes]) -> None:
    reader = HeadReader()
    for data in [*seen, *seen, *(text(case) for case in CORPUS)]:
        raw = data[: data.find(b"\r\n\r\n") + 4]
        assert reader.read(raw) == read_head(raw)
    strict = HeadReader(strict=True)
    for data in [*seen, *seen, *(text(case) for case in CORPUS)]:
        raw = data[: data.find(b"\r\n\r\n") + 4]
        assert strict.read(raw) == read_head(raw, strict=True)


@given(st.binary(max_size=200))
def test_any_head_is_read_without_an_exception(raw: bytes) -> None:
    for strict in (True, False):
        head = read_head(raw, strict=strict)
        assert head is None or isinstance(head, Head)

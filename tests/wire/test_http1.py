"""The response parser: against httptools, in pieces of any size, and with whatever is not HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import httptools
import pytest
from answers_made import CORPUS, Verdict, damaged, responses, text
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadtest.wire.head import HeadReader
from loadtest.wire.http1 import KEPT_BYTES, MAX_HEAD_BYTES, MAX_INTERIM, ResponseParser


def parse(pieces: Iterable[bytes], parser: ResponseParser | None = None, *, strict: bool = True) -> Verdict:
    """Feed pieces until the response is complete, then the end of the stream."""
    parser = parser or ResponseParser(HeadReader(strict=strict), keep=True)
    parser.reset()
    complete, body = False, b""
    for piece in pieces:
        if piece:
            complete = parser.feed(piece)
            body += parser.take()
        if complete:
            break
    ended = not complete and parser.eof()
    if parser.fault:
        return Verdict(complete, ended, malformed=True, fault=parser.fault)
    if not complete and not ended:
        return Verdict(False)
    head = parser.head
    return Verdict(complete, ended, False, "", head.status, body, parser.reusable, head.model_latency_us)


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    points = sorted(point % (len(data) + 1) for point in at)
    return [data[start:end] for start, end in zip([0, *points], [*points, len(data)], strict=True)]


class Oracle:
    """httptools' verdict on a response (llhttp, of Node.js)."""

    def __init__(self, data: bytes) -> None:
        self.body, self.complete, self.malformed = b"", False, False
        self.interim = 0
        self.parser = httptools.HttpResponseParser(self)
        self.status, self.keep_alive = 0, False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.malformed = True
        except httptools.HttpParserError:
            # After the response llhttp reads the next one, which is not its business here.
            self.malformed = not self.complete

    def on_headers_complete(self) -> None:
        if not self.complete:
            self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        if not self.complete and self.status >= 200:
            self.complete = True
            self.keep_alive = self.parser.should_keep_alive()


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["id"])
def test_the_corpus_reads_as_expected_however_it_is_cut(case: dict[str, Any]) -> None:
    data = text(case)
    expected = Verdict(
        case.get("complete", True),
        case.get("ended", False),
        case.get("malformed", False),
        parse([data]).fault,
        case.get("status", 0),
        case.get("body", "").encode("latin-1"),
        case.get("reusable", False),
        case.get("model_latency_us"),
    )
    assert parse([data]) == expected
    assert parse([data[i : i + 1] for i in range(len(data))]) == expected
    for i in range(len(data)):
        assert parse([data[:i], data[i:]]) == expected, f"cut at {i}"
    # The quick way, which knows the heads that came before and keeps no body of a success.
    quick = ResponseParser(HeadReader(strict=True))
    for i in [len(data), *range(1, len(data)), len(data)]:
        so_far = parse([data[:i]])
        assert replace(parse([data[:i]], quick), body=so_far.body) == so_far, f"the first {i} bytes"
        if so_far.status and not so_far.malformed:
            assert quick.body_bytes == len(so_far.body), f"the first {i} bytes"


@pytest.mark.parametrize("case", [case for case in CORPUS if case.get("oracle", True)], ids=lambda case: case["id"])
def test_the_corpus_reads_as_httptools_reads_it(case: dict[str, Any]) -> None:
    """Cases where RFC 9110 and 9112 leave room, and we and llhttp use it differently, say `oracle: false` and why."""
    data = text(case)
    oracle, ours = Oracle(data), parse([data])
    assert ours.malformed == oracle.malformed
    if not oracle.malformed:
        assert ours.complete == oracle.complete
        if oracle.complete or ours.ended:
            assert (ours.status, ours.body) == (oracle.status, oracle.body)


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@settings(max_examples=80, deadline=None)
@given(responses(), CUTS)
def test_any_split_of_any_valid_response_reads_alike(response: tuple[bytes, Verdict], cuts: list[int]) -> None:
    data, expected = response
    for strict in (True, False):
        assert parse([data], strict=strict) == expected
        assert parse(cut(data, cuts), strict=strict) == expected
    # Without `keep` the same but for the body, which is counted.
    parser = ResponseParser()
    counted = parse(cut(data, cuts), parser)
    assert (counted.complete, counted.status, counted.reusable) == (
        expected.complete,
        expected.status,
        expected.reusable,
    )
    assert parser.body_bytes == len(expected.body)


@settings(max_examples=25, deadline=None)
@given(st.lists(responses().filter(lambda made: made[1].reusable), min_size=1, max_size=4), st.data())
def test_one_parser_reads_response_after_response(made: list[tuple[bytes, Verdict]], data: st.DataObject) -> None:
    parser = ResponseParser(keep=True)
    for response, expected in made:
        assert parse(cut(response, data.draw(CUTS)), parser) == expected


@settings(max_examples=150, deadline=None)
@given(st.one_of(damaged(), st.binary(max_size=300), st.binary(max_size=100).map(lambda x: b"HTTP/1.1 200" + x)), CUTS)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", [])
def test_garbage_gives_the_same_verdict_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    for strict in (True, False):
        whole, pieces = parse([data], strict=strict), parse(cut(data, cuts), strict=strict)
        # Bytes after the end of a response may or may not be in the read that ends it.
        assert replace(whole, reusable=False) == replace(pieces, reusable=False)
        single = parse([data[i : i + 1] for i in range(len(data))], strict=strict)
        assert replace(whole, reusable=False) == replace(single, reusable=False)


def test_bytes_after_the_response_make_the_connection_unusable() -> None:
    parser = ResponseParser(HeadReader(strict=True))
    assert parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\r\n")
    assert not parser.reusable
    parser = ResponseParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n")
    assert (parser.head.status, parser.body_bytes, parser.fault) == (200, 2, "")
    assert not parser.reusable


def test_a_head_may_be_long_but_not_endless() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
    fits = start + b"x" * (MAX_HEAD_BYTES - len(start) - 4) + b"\r\n\r\n"
    assert parse([fits]).status == parse(cut(fits, range(0, len(fits), 5000))).status == 200
    over = start + b"x" * (MAX_HEAD_BYTES - len(start) - 3) + b"\r\n\r\n"
    for pieces in ([over], cut(over, range(0, len(over), 5000)), [start + b"x" * MAX_HEAD_BYTES]):
        parser = ResponseParser()
        assert parse(pieces, parser).malformed
        assert parser.fault == "head too long"


@pytest.mark.parametrize(
    ("endless", "fault"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 5000,
            f"bad chunk size at byte 0 of the body: '5;{'x' * 58}'...",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * MAX_HEAD_BYTES, "trailer too long"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1), "too many 1xx"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "unexpected 101"),
    ],
)
def test_nothing_goes_on_for_ever(endless: bytes, fault: str) -> None:
    parser = ResponseParser()
    assert parser.feed(endless)
    assert parser.fault == fault


def test_an_error_body_is_held_up_to_a_limit_and_a_success_is_only_counted() -> None:
    for status, held in ((200, 0), (500, KEPT_BYTES)):
        parser = ResponseParser()
        assert not parser.feed(b"HTTP/1.1 %d X\r\nContent-Length: 100000\r\n\r\n" % status)
        for _ in range(9):
            assert not parser.feed(b"x" * 10_000)
        assert parser.feed(b"x" * 10_000)
        assert parser.body_bytes == 100_000
        assert len(parser.take()) == held


@pytest.mark.parametrize("piece", [1, 7, 999, 4096, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("length", [KEPT_BYTES - 1, KEPT_BYTES, KEPT_BYTES + 1, 200_000])
def test_of_a_long_error_body_the_beginning_and_the_end_are_held(piece: int, length: int) -> None:
    body = bytes(i % 251 for i in range(length))
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 424 X\r\nContent-Length: %d\r\n\r\n" % length)
    for at in range(0, length, piece):
        parser.feed(body[at : at + piece])
    end = 4096
    assert parser.take() == (body if length <= KEPT_BYTES else body[: KEPT_BYTES - end] + body[-end:])
    assert parser.body_bytes == length


def test_connect_has_no_body_but_its_refusal_has() -> None:
    parser = ResponseParser(connect=True)
    assert parser.feed(b"HTTP/1.1 200 Connection established\r\nContent-Length: 10\r\n\r\n")
    assert parser.reusable
    assert ResponseParser(connect=True).feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser = ResponseParser(connect=True)
    assert not parser.feed(b"HTTP/1.1 407 No\r\nContent-Length: 4\r\n\r\n")
    assert parser.feed(b"nope")
    assert (parser.head.status, parser.take()) == (407, b"nope")


def test_headers_by_lower_case_name() -> None:
    parser = ResponseParser()
    assert parser.headers() == {}
    parser.feed(
        b"HTTP/1.1 500 X\r\nx-amzn-ErrorType:  InternalFailure \r\n"
        b"A: 1\r\nA: 2\r\nB: x\r\n  y\r\nContent-Length: 0\r\n\r\n"
    )
    assert parser.headers() == {"x-amzn-errortype": "InternalFailure", "a": "2", "b": "x y", "content-length": "0"}


def test_a_huge_body_of_tiny_chunks_takes_linear_time() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    parser = ResponseParser()
    for piece in cut(data, range(0, len(data), 65536)):
        done = parser.feed(piece)
    assert done
    assert parser.body_bytes == 50_000

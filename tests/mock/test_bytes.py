"""The mock's sans-IO parts: requests out of bytes in any pieces, answers as bytes, and what is counted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mock_wire import post

from loadtest.core.measure.histogram import Histogram
from loadtest.mock.reply import header_lines, quick_reply, reply, stream_head
from loadtest.mock.request import MAX_BODY_BYTES, MAX_DISCARD_BYTES, MAX_HEAD_BYTES, Request, RequestReader
from loadtest.mock.stats import LatencyCounts

SEVERAL = (
    post("/endpoints/a/invocations?x=1", b"[1]", "Accept: text/csv", "X-Amzn-SageMaker-Target-Variant: v")
    + b"\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nAccept: no\r\n\r\n"
    + b"GET /c HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    + b"GET /d HTTP/1.0\r\n\r\nGET /e HTTP/1.1\r\n\r\n"
)
EXPECTED = [
    Request(
        b"POST",
        b"/endpoints/a/invocations",
        {b"host": b"localhost", b"accept": b"text/csv", b"x-amzn-sagemaker-target-variant": b"v"},
        3,
        True,
        True,
    ),
    Request(b"POST", b"/b", {}, 5, True, True),
    Request(b"GET", b"/c", {}, 0, True, True),
    Request(b"GET", b"/d", {}, 0, False, False),  # and /e is not read: the client has asked to close
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(SEVERAL)), max_size=12))
def test_requests_do_not_depend_on_how_their_bytes_are_cut(cuts: list[int]) -> None:
    reader = RequestReader()
    borders = [0, *sorted(cuts), len(SEVERAL)]
    for a, b in pairwise(borders):
        reader.feed(SEVERAL[a:b])
    assert list(reader.ready) == EXPECTED
    assert reader.refusal is None
    assert not reader.receiving


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_raise_and_a_refusal_is_final(data: bytes, at: int) -> None:
    reader = RequestReader()
    valid = post()
    reader.feed(valid[:at] + data)
    reader.feed(data)
    if reader.refusal is not None:
        refusal, ready = reader.refusal, len(reader.ready)
        reader.feed(valid)
        assert (reader.refusal, len(reader.ready), reader.receiving) == (refusal, ready, False)


def test_a_head_is_counted_over_all_its_pieces_but_not_with_the_requests_before_it() -> None:
    reader = RequestReader()
    reader.feed(post("/a", b"x" * (2 * MAX_HEAD_BYTES)) + b"GET /b HTTP/1.1\r\nX: ")
    for _ in range(MAX_HEAD_BYTES // 1024):
        reader.feed(b"y" * 1024)
    assert reader.refusal is None
    reader.feed(b"y")
    assert reader.refusal is not None
    assert (reader.refusal.status, len(reader.ready)) == (431, 1)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_read_to_its_end_up_to_a_limit(chunked: bool) -> None:
    reader = RequestReader()
    piece = b"x" * 1_000_000
    if chunked:
        reader.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece)] * (MAX_DISCARD_BYTES // len(piece) + 1)
    else:
        reader.feed(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % MAX_DISCARD_BYTES)
        pieces = [piece] * (MAX_DISCARD_BYTES // len(piece)) + [b"x" * (MAX_DISCARD_BYTES % len(piece))]
    for one in pieces:
        reader.feed(one)
    if chunked:
        assert reader.refusal is not None
        assert (reader.refusal.status, len(reader.ready)) == (413, 0)
    else:
        assert reader.refusal is None
        assert reader.ready[0].body_bytes == MAX_DISCARD_BYTES > MAX_BODY_BYTES


def test_the_quick_answer_says_what_the_general_one_does() -> None:
    headers = (("Content-Type", "text/csv"), ("X-Amzn-SageMaker-Custom-Attributes", "é"))
    general = reply(200, (("x-amzn-RequestId", "7"), *headers, ("X-Loadtest-Model-Latency-Us", "42")), b"0.5\n")
    quick = quick_reply("7", header_lines((*headers, ("Content-Length", "4"))), 42, b"0.5\n")

    def parsed(data: bytes) -> tuple[bytes, list[bytes], bytes]:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        return first, sorted(line for line in lines if not line.startswith(b"Date:")), body

    assert parsed(quick) == parsed(general)


@pytest.mark.parametrize(
    ("keep_alive", "http11", "line"),
    [
        (True, True, None),
        (False, True, b"Connection: close"),
        (True, False, b"Connection: keep-alive"),
        (False, False, b"Connection: close"),
    ],
)
def test_heads_tell_what_becomes_of_the_connection(keep_alive: bool, http11: bool, line: bytes | None) -> None:
    lines = reply(200, (), b"", keep_alive=keep_alive, http11=http11).split(b"\r\n")
    assert [one for one in lines if one.startswith(b"Connection")] == ([] if line is None else [line])


def test_a_stream_for_an_old_client_ends_with_its_connection() -> None:
    old = stream_head(200, (), keep_alive=True, http11=False)
    assert b"Connection: close" in old
    assert b"Transfer-Encoding" not in old
    assert b"Transfer-Encoding: chunked" in stream_head(200, (), keep_alive=True, http11=True)


@given(st.lists(st.integers(0, 4_000_000_000), max_size=60))
def test_counting_one_by_one_gives_the_histogram_of_all(values_us: list[int]) -> None:
    latencies, histogram = LatencyCounts(), Histogram()
    for value_us in values_us:
        latencies.record(value_us)
    histogram.record(np.array(values_us, np.int64))
    found = latencies.summary()
    names = ("p50_ms", "p95_ms", "p99_ms")
    expected = histogram.percentiles_us([0.50, 0.95, 0.99])
    assert [found[name] for name in names] == [None if us is None else us / 1000 for us in expected]
    if not values_us:
        assert set(found.values()) == {None}

"""What a relay hands back to its greenlet: every case of `test_connection_cases` after a success, and its own."""

from __future__ import annotations

import calendar
import time
from typing import Any

import pytest
from peers import CASES, OK, PLAIN, keep_alive

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}


def repeated(drive: Any, ref: str, **job: Any) -> list[Any]:
    rows: list[Any] = drive("http", ref, repeat=True, **job)
    return rows


@pytest.mark.parametrize("no_epoll", [False, True])
@pytest.mark.parametrize(("script", "expected", "connections"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_every_case_after_a_success(
    driver: Any,
    serve: Any,
    script: Any,
    expected: Any,
    connections: int,
    no_epoll: bool,
    request: pytest.FixtureRequest,
) -> None:
    def first_well(peer: Any) -> None:
        if peer.index == 0:
            peer.read()
            peer.answer()
        script(peer)

    server = serve(first_well)
    rows = repeated(driver, f"{server.url}/invocations", invokes=1 + len(expected), no_epoll=no_epoll)
    assert [(row.kind, row.status, row.detail) for row in rows] == [OK, *expected]
    # On a connection that was used, a request without a byte of an answer goes again on a new one.
    again = "without an answer" in request.node.callspec.id
    assert sum(row.opening is not None and row.opening[4] for row in rows) >= again
    assert server.connections == connections + again
    for row in rows:
        assert row.sent_ns <= row.first_byte_ns <= row.done_ns
        assert row.bytes_in == (2 if row.kind == "ok" and row.status == 200 else row.bytes_in)


def test_it_goes_on_after_what_the_greenlet_settled(driver: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        for _ in range(4):
            peer.read()
            peer.answer()
            peer.read()
            peer.send(PLAIN[:20], PLAIN[20:], gap_s=0.005)

    server = serve(script)
    rows = repeated(driver, f"{server.url}/", invokes=8, bodies=[str(i) for i in range(8)])
    assert [row.kind for row in rows] == ["ok"] * 8
    assert [seen.body for seen in server.seen] == [str(i).encode() for i in range(8)]
    assert server.connections == 1


def test_a_request_goes_again_only_where_nobody_heard_it(driver: Any, serve: Any) -> None:
    """The server leaves behind the answer, without a word: before, or as, the next request is sent."""

    def script(peer: Any) -> None:
        peer.read()
        peer.answer()
        peer.read()
        peer.close_with(PLAIN)

    server = serve(script)
    rows = repeated(driver, f"{server.url}/", invokes=9, bodies=[str(i) for i in range(9)])
    assert [row.kind for row in rows] == ["ok"] * 9
    assert [seen.body for seen in server.seen] == [str(i).encode() for i in range(9)]


def test_no_answer_in_time(driver: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.answer()
        peer.read()
        if peer.index == 0:
            peer.until_closed()
        peer.answer()

    rows = repeated(driver, f"{serve(script).url}/", invokes=4, options={"read_timeout_s": 0.3})
    assert [(row.kind, row.detail) for row in rows] == [OK[::2], ("timeout", "read timeout"), OK[::2], OK[::2]]
    assert rows[1].done_ns - rows[1].sent_ns >= 300_000_000


def test_large_bodies_between_small_ones(driver: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        while True:
            peer.answer(peer.read().body)

    server = serve(script)
    sizes = [3, 3, 6 * 1024 * 1024, 64 * 1024, 2, 64 * 1024 + 1, 1, 0]
    rows = repeated(driver, f"{server.url}/", bodies=sizes, invokes=8)
    assert [row.bytes_in for row in rows] == sizes
    assert [len(seen.body) for seen in server.seen] == sizes
    assert server.connections == 1


def test_answers_that_differ_in_anything_are_told_apart(driver: Any, serve: Any) -> None:
    answers = [
        b"HTTP/1.1 200 OK\r\nX-Loadtest-Model-Latency-Us: 1234\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX-Loadtest-Model-Latency-Us: 1235\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 201 OK\r\nX-Loadtest-Model-Latency-Us: 1235\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 OK\r\nX-Loadtest-Model-Latency-Us: 1235\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX-Loadtest-Model-Latency-Us: 1235\r\nContent-Length: 3\r\n\r\n{1}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{1}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{2}",
    ]

    def script(peer: Any) -> None:
        for answer in answers * 2:
            peer.read()
            peer.send(answer)

    rows = repeated(driver, f"{serve(script).url}/", invokes=14)
    assert [row.status for row in rows] == [200, 200, 201, 500, 200, 200, 200] * 2
    assert [row.bytes_in for row in rows] == [2, 2, 2, 2, 3, 3, 3] * 2
    assert [row.model_latency_us for row in rows] == [1234, 1235, 1235, None, 1235, None, None] * 2


@pytest.mark.parametrize("raise_at", [1, 2, 3])
def test_what_a_callback_raises_comes_out_and_leaves_a_usable_driver(driver: Any, serve: Any, raise_at: int) -> None:
    server = serve(keep_alive)
    assert driver.error("http", f"{server.url}/", invokes=4, repeat=True, raise_at=raise_at) == (
        "ValueError: raised by the callback"
    )
    assert len(server.seen) == raise_at
    assert [row.kind for row in repeated(driver, f"{server.url}/", invokes=2)] == ["ok"] * 2


def test_signatures_follow_the_clock(driver: Any, serve: Any) -> None:
    """A head is sent again within its second, and no longer."""

    def script(peer: Any) -> None:
        while True:
            peer.read()
            peer.server.stopping.wait(0.02)
            peer.answer()

    server = serve(script)
    options = {"endpoint_url": server.url}
    rows = driver("sagemaker", "e", repeat=True, invokes=100, env=KEYS, options=options)
    assert [row.kind for row in rows] == ["ok"] * 100
    dates = [seen.headers["x-amz-date"] for seen in server.seen]
    assert len(set(dates)) >= 3  # a hundred requests take more than two seconds
    for row, date in zip(rows, dates, strict=True):
        sent = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(row.sent_ns / 1e9))
        before = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(row.sent_ns / 1e9 - 0.05))
        assert date in (sent, before)


def test_signatures_follow_a_clock_that_is_set_back(driver: Any, serve: Any) -> None:
    """A head is good for its second, not until the second before which the clock went back comes again."""
    server = serve(keep_alive)
    options = {"endpoint_url": server.url}
    rows = driver("sagemaker", "e", repeat=True, invokes=40, env=KEYS, options=options, set_back=[20, 3600])
    assert [row.kind for row in rows] == ["ok"] * 40
    signed_s = [calendar.timegm(time.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) for seen in server.seen]
    # The one after the step was on its way already.
    late = [k for k, (signed, row) in enumerate(zip(signed_s, rows, strict=True)) if signed - row.sent_ns / 1e9 > 2]
    assert late in ([], [20])
    assert signed_s[0] - signed_s[-1] > 3500


def test_users_share_turns_fairly(driver: Any, serve: Any) -> None:
    server = serve(keep_alive)
    rows = repeated(driver, f"{server.url}/", users=40, invokes=25)
    assert [row.kind for row in rows] == ["ok"] * 1000
    assert server.connections == 40


def test_a_request_that_was_to_leave_on_a_closed_connection_fails(driver: Any, serve: Any) -> None:
    server = serve(keep_alive)
    (row,) = driver("http", f"{server.url}/", close_pending=True, invokes=0)
    assert (row.kind, row.status, row.detail) == ("connection", 0, "closed")
    assert [seen.body for seen in server.seen] == [b"first"]


def test_expired_credentials_make_no_busy_loop(drive: Any, serve: Any) -> None:
    server = serve(keep_alive)
    rows = drive("sagemaker", "e", invokes=5, env=KEYS, options={"endpoint_url": server.url}, expired=True)
    assert [(row.kind, row.status, row.detail) for row in rows] == [("credentials", 0, "expired")] * 5
    assert rows[-1].sent_ns - rows[0].sent_ns >= 30_000_000
    assert server.connections == 0


EXPIRED = b"HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: ExpiredTokenException\r\nContent-Length: 2\r\n\r\n{}"


def _key(seen: Any) -> str:
    return str(seen.headers["authorization"]).partition("Credential=")[2].partition("/")[0]


@pytest.mark.parametrize("before", [0, 1], ids=["the greenlet's", "the relay's"])
def test_a_request_whose_credentials_expired_on_the_way_goes_again_with_newer_ones(
    driver: Any, serve: Any, before: int
) -> None:
    def script(peer: Any) -> None:
        for _ in range(before):
            peer.read()
            peer.answer()
        peer.read()
        peer.server.stopping.wait(2)
        peer.send(EXPIRED)
        while True:
            peer.read()
            peer.answer()

    server = serve(script)
    rows = driver(
        "sagemaker",
        "e",
        invokes=before + 2,
        repeat=True,
        renewed=True,
        options={"endpoint_url": server.url, "region": "eu-west-1"},
    )
    assert [row.kind for row in rows] == ["ok"] * (before + 2)
    late, again = server.seen[before : before + 2]
    assert _key(late) != _key(again)
    assert (late.body, late.line) == (again.body, again.line)
    assert rows[before].done_ns - rows[before].sent_ns >= 2_000_000_000, "from the first time that it was sent"
    assert len(server.seen) == before + 3


@pytest.mark.parametrize("code", ["ExpiredTokenException", "AccessDeniedException"])
def test_without_newer_credentials_it_does_not(driver: Any, serve: Any, code: str) -> None:
    def script(peer: Any) -> None:
        while True:
            peer.read()
            peer.send(EXPIRED.replace(b"ExpiredTokenException", code.encode()))

    server = serve(script)
    rows = driver("sagemaker", "e", invokes=2, repeat=True, env=KEYS, options={"endpoint_url": server.url})
    assert [(row.kind, row.detail) for row in rows] == [("credentials", code)] * 2
    assert len(server.seen) == 2

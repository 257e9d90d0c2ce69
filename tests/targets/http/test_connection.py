"""What servers do to a connection, and what comes of it: every case on real sockets, every byte scripted."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from peers import CASES, PLAIN, keep_alive, once

from loadtest.core.measure.outcome import Kind
from loadtest.targets.failures import Failed
from loadtest.targets.http.connection import was_ended


@pytest.mark.parametrize(("script", "expected", "connections"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_comes_of_an_invocation(drive: Any, serve: Any, script: Any, expected: Any, connections: int) -> None:
    server = serve(script)
    rows = drive("http", f"{server.url}/invocations", invokes=len(expected))
    assert [(row.kind, row.status, row.detail) for row in rows] == expected
    assert server.connections == connections
    for row in rows:
        assert row.sent_ns <= row.first_byte_ns <= row.done_ns
        by_process = row.kind in ("connection", "malformed") and not 300 <= row.status < 400
        # That a stream ends has no time by the kernel.
        assert row.kernel_clock is not by_process or (row.kind == "ok" and server.connections == 2)
        assert row.bytes_in == (2 if row.kind == "ok" and row.status == 200 else row.bytes_in)


def test_a_request_arrives_as_it_was_meant(drive: Any, serve: Any) -> None:
    server = serve(keep_alive)
    drive("http", f"{server.url}/invocations?a=b", bodies=["hello"], type="text/csv", options={"accept": "text/plain"})
    (seen,) = server.seen
    assert seen.line == "POST /invocations?a=b HTTP/1.1"
    assert seen.body == b"hello"
    assert seen.headers.pop("user-agent").startswith("loadtest/")
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "text/plain",
        "content-type": "text/csv",
        "content-length": "5",
    }


def test_a_request_without_a_byte_of_an_answer_goes_again_once_and_is_counted(drive: Any, serve: Any) -> None:
    """On a connection that was used before: its server may have ended it without saying so."""

    def script(peer: Any) -> None:
        peer.read()
        if peer.index != 1:
            peer.answer()
            peer.read()  # and no answer
            peer.server.stopping.wait(0.05)

    server = serve(script)
    rows = drive("http", f"{server.url}/", invokes=4, bodies=["a", "b", "c", "d"])
    # The second goes again on connection 1, which ends as well: a new one, so that is what came of it.
    assert [row.detail for row in rows] == ["", "closed", "", ""]
    assert [seen.body for seen in server.seen] == [b"a", b"b", b"b", b"c", b"d", b"d"]
    assert [row.opening is not None and row.opening[4] for row in rows] == [False, True, False, True]
    # Its latency counts from the first time.
    assert min(rows[1].done_ns - rows[1].sent_ns, rows[3].done_ns - rows[3].sent_ns) >= 50_000_000


def test_a_reset_of_a_used_connection_is_no_failure_either(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.answer()
        peer.read()
        peer.reset()

    rows = drive("http", f"{serve(script).url}/", invokes=5)
    assert [row.kind for row in rows] == ["ok"] * 5
    assert [row.opening is not None and row.opening[4] for row in rows] == [False, True, True, True, True]


def test_a_connection_that_ended_while_idle_is_opened_anew(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.answer()
        if peer.index == 1:
            peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        if peer.index == 2:
            peer.reset()

    server = serve(script)
    rows = drive("http", f"{server.url}/", invokes=4, pause_s=0.1)
    assert [row.kind for row in rows] == ["ok"] * 4
    assert server.connections == 4


def test_an_idle_connection_is_used_again(drive: Any, serve: Any) -> None:
    server = serve(keep_alive)
    assert [row.kind for row in drive("http", f"{server.url}/", invokes=3, pause_s=0.02)] == ["ok"] * 3
    assert server.connections == 1


def test_no_answer_in_time_is_a_timeout_and_the_next_request_has_a_new_connection(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.read()
        if peer.index == 0:
            peer.until_closed()
        peer.answer()

    server = serve(script)
    rows = drive("http", f"{server.url}/", invokes=2, options={"read_timeout_s": 0.3})
    assert [(row.kind, row.detail) for row in rows] == [("timeout", "read timeout"), ("ok", "")]
    assert rows[0].done_ns - rows[0].sent_ns >= 300_000_000


def test_an_answer_that_trickles_is_a_timeout_too(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", *[b"x"] * 2000, gap_s=0.02)

    server = serve(script)
    (row,) = drive("http", f"{server.url}/", options={"read_timeout_s": 0.3})
    assert (row.kind, row.status, row.detail) == ("timeout", 200, "read timeout")
    assert 0 < row.bytes_in < 2000


def test_a_late_answer_says_what_it_is_waited_for(drive: Any, serve: Any) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"))
    options = {"read_timeout_s": 0.3, "strict_http": True}
    (row,) = drive("http", f"{server.url}/", options=options)
    assert row.detail == "read timeout: the answer has no length, and its connection stays open"
    (row,) = drive("http", f"{serve(once(b'+PONG')).url}/", options=options)
    assert (row.kind, row.detail) == ("malformed", "bad status line: '+PONG'")


def test_strict_is_strict(drive: Any, serve: Any) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"))
    (row,) = drive("http", f"{server.url}/", options={"strict_http": True})
    assert (row.kind, row.detail) == ("malformed", r"bad status line: 'HTTP/1.1 200 OK\n'")


def test_an_answer_that_lasts_until_the_end_is_complete_with_it(drive: Any, serve: Any) -> None:
    """A server that is slow to close lets its users wait, not the generator."""

    def script(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\n{}")
        peer.server.stopping.wait(0.05)

    rows = drive("http", f"{serve(script).url}/", invokes=2)
    for row in rows:
        assert (row.kind, row.bytes_in, row.kernel_clock) == ("ok", 2, False)
        assert row.done_ns - row.first_byte_ns >= 45_000_000


def test_first_and_last_byte_are_the_kernels_times(drive: Any, serve: Any) -> None:
    server = serve(once(PLAIN[:-1], PLAIN[-1:], gap_s=0.08))
    (row,) = drive("http", f"{server.url}/")
    assert row.kernel_clock
    assert row.done_ns - row.first_byte_ns >= 40_000_000


@pytest.mark.parametrize("job", [{"clock_off_ns": 10**10}, {"clock_off_ns": -(10**10)}, {"no_stamps": True}])
@pytest.mark.parametrize("pieces", [(PLAIN,), (PLAIN[:-1], PLAIN[-1:])])
def test_a_clock_that_was_set_or_is_absent_falsifies_no_latency(
    drive: Any, serve: Any, job: dict[str, Any], pieces: tuple[bytes, ...]
) -> None:
    def script(peer: Any) -> None:
        while True:
            peer.read()
            peer.server.stopping.wait(0.05)
            peer.send(*pieces, gap_s=0.03)

    rows = drive("http", f"{serve(script).url}/", invokes=2, **job)
    for row in rows:
        assert (row.kind, row.kernel_clock) == ("ok", False)
        # Our own clock tells when we looked, which may be any time after the bytes came.
        assert 48_000_000 <= row.first_byte_ns - row.sent_ns <= row.done_ns - row.sent_ns < 9 * 10**9


@pytest.mark.parametrize("early", [(), (b"HTTP/1.1 100 Continue\r\n\r\n",), (b"HTTP/1.1 102 X\r\nA: b\r\n", b"\r\n")])
def test_a_server_that_says_something_before_it_has_read_all(drive: Any, serve: Any, early: tuple[bytes, ...]) -> None:
    """Nothing, or an interim answer: the request is sent to its end all the same."""

    def script(peer: Any) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        while True:
            peer.buffer = peer.receive()
            for piece in early:
                peer.send(piece)
                peer.server.stopping.wait(0.05)
            peer.answer(str(len(peer.read().body)).encode())

    server = serve(script)
    size = 6 * 1024 * 1024
    rows = drive("http", f"{server.url}/", bodies=[size], invokes=2, options={"read_timeout_s": 5})
    assert [(row.kind, row.detail) for row in rows] == [("ok", "")] * 2
    assert [len(seen.body) for seen in server.seen] == [size] * 2
    assert server.connections == 1


def test_a_final_answer_before_the_request_is_sent_ends_both(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.receive()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.answer(b"{}", "413 Too Large")
        peer.server.stopping.wait(0.2)
        peer.half_close()
        peer.until_closed()

    server = serve(script)
    rows = drive("http", f"{server.url}/", bodies=[6 * 1024 * 1024], invokes=2, options={"read_timeout_s": 5})
    assert [(row.kind, row.status, row.bytes_in) for row in rows] == [("client_error", 413, 2)] * 2
    assert server.connections == 2


def test_only_what_the_server_ended_is_sent_again() -> None:
    """A kernel that gave up on a server, or nonsense over TLS, is what the server does to its clients."""
    for problem in (ConnectionResetError(), BrokenPipeError(), Failed(Kind.CONNECTION, "closed")):
        assert was_ended(problem)
    for problem in (TimeoutError(), OSError(113, "no route"), ssl.SSLError(), Failed(Kind.TIMEOUT, "read timeout")):
        assert not was_ended(problem)


def test_the_servers_own_time_is_taken_over(drive: Any, serve: Any) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nX-Loadtest-Model-Latency-Us: 1234\r\nContent-Length: 0\r\n\r\n"))
    (row,) = drive("http", f"{server.url}/")
    assert row.model_latency_us == 1234


def test_large_bodies_go_both_ways_whole(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        while True:
            peer.answer(peer.read().body)

    server = serve(script)
    size = 6 * 1024 * 1024
    rows = drive("http", f"{server.url}/", bodies=[size, 3, 200_000], invokes=3)
    assert [(row.kind, row.bytes_in) for row in rows] == [("ok", size), ("ok", 3), ("ok", 200_000)]
    assert [seen.body == b"x" * len(seen.body) for seen in server.seen] == [True] * 3
    assert server.connections == 1


@pytest.mark.parametrize("header", ["Connection: close", "X-Nothing: said"])
@pytest.mark.parametrize("end", ["half_close", "stays"])
def test_an_answer_before_the_request_is_read_counts(drive: Any, serve: Any, end: str, header: str) -> None:
    def script(peer: Any) -> None:
        if peer.index == 0:
            peer.receive()
            peer.answer(b"", "413 Too Large", header)
            if end == "half_close":
                peer.half_close()
            peer.server.stopping.wait(20)
        else:
            keep_alive(peer)

    server = serve(script)
    rows = drive("http", f"{server.url}/", bodies=[20_000_000, 2], invokes=2)
    assert [(row.kind, row.status) for row in rows] == [("client_error", 413), ("ok", 200)]
    assert server.connections == 2


def test_users_have_a_connection_each(drive: Any, serve: Any) -> None:
    server = serve(keep_alive)
    rows = drive("http", f"{server.url}/", users=8, invokes=5)
    assert [row.kind for row in rows] == ["ok"] * 40
    assert server.connections == 8


def test_a_killed_user_leaves_a_usable_target(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        while True:
            if peer.read().body == b"killed":
                peer.until_closed()
            peer.answer()

    server = serve(script)
    rows = drive("http", f"{server.url}/", kill_s=0.1, invokes=2)
    assert [row.kind for row in rows] == ["ok", "ok"]
    assert server.connections == 2


def test_closing_a_user_ends_its_request(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        while peer.read().body != b"closed":
            peer.answer()
        peer.until_closed()

    server = serve(script)
    (row,) = drive("http", f"{server.url}/", close_s=0.1, invokes=0)
    assert (row.kind, row.detail) == ("connection", "closed")


def test_ipv6(drive: Any, serve: Any) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        server = serve(keep_alive, host="::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    (row,) = drive("http", f"{server.url}/x")
    assert row.kind == "ok"
    assert server.seen[0].headers["host"] == f"[::1]:{server.port}"


def test_a_name_is_resolved(drive: Any, serve: Any) -> None:
    server = serve(keep_alive)
    rows = drive("http", f"http://localhost:{server.port}/x", invokes=2)
    assert [row.kind for row in rows] == ["ok", "ok"]


def test_no_server(drive: Any) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (row,) = drive("http", f"http://127.0.0.1:{bound.getsockname()[1]}/")
    assert (row.kind, row.status, row.detail, row.kernel_clock) == ("connection", 0, "refused", False)
    (row,) = drive("http", "http://no..such..name/")
    assert (row.kind, row.detail) == ("connection", "name not resolved")


def test_a_server_that_accepts_nobody_is_a_connect_timeout(drive: Any) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        (row,) = drive("http", f"http://127.0.0.1:{full.getsockname()[1]}/", options={"connect_timeout_s": 0.3})
        for each in waiting:
            each.close()
    assert (row.kind, row.detail) == ("connection", "connect timeout")
    assert row.done_ns - row.sent_ns >= 290_000_000


@pytest.mark.parametrize(
    ("ref", "options", "words"),
    [
        (
            "http://127.0.0.1:1/",
            {"acept": "x", "read_timeout_s": -1},
            ["acept", "did you mean accept", "read_timeout_s"],
        ),
        ("https://127.0.0.1:1/", {"ca_file": "/no/such/file"}, ["TargetError", "/no/such/file"]),
        ("ftp://127.0.0.1/", {}, ["SpecError"]),
    ],
)
def test_wrong_options_are_refused(drive: Any, ref: str, options: dict[str, Any], words: list[str]) -> None:
    told = drive.error("http", ref, options=options)
    assert [word for word in words if word not in told] == []

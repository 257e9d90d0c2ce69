"""How every web server of ours comes and goes: an address that is taken, and an end that no connection delays."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from waitress.server import create_server

from loadtest.errors import EngineError
from loadtest.serving import StrictChannel, end_serving, listening


def test_an_address_that_is_taken_is_told() -> None:
    with listening("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            listening("127.0.0.1", port)


@pytest.mark.parametrize("threaded", [True, False])
def test_an_open_connection_is_closed_and_the_end_may_come_twice(threaded: bool) -> None:
    sock = listening("127.0.0.1", 0)
    server = create_server(lambda environ, start: [], sockets=[sock])
    thread = threading.Thread(target=server.run, daemon=True) if threaded else None
    if thread is not None:
        thread.start()
    with socket.create_connection(sock.getsockname()[:2]) as client:
        for _ in range(2):
            end_serving(server, thread, requests_s=1, loop_s=60)
        assert thread is None or not thread.is_alive()
        client.settimeout(60)
        # Reset: the server had not taken it from the queue yet. It is closed all the same.
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(server.effective_port)))


def test_a_loop_that_is_awake_closes_nothing_before_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = listening("127.0.0.1", 0)
    server = create_server(lambda environ, start: [], sockets=[sock])
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    pull = server.trigger.pull_trigger

    def late(thunk: Callable[[], object]) -> None:
        pull(thunk)  # as when the loop is awake already: it finds the thunk before the trigger's pipe is written to
        time.sleep(0.2)
        pull()

    monkeypatch.setattr(server.trigger, "pull_trigger", late)
    end_serving(server, thread, requests_s=1, loop_s=60)
    assert not thread.is_alive()


TWO_LENGTHS = {
    "both": b"HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    "the other way round": b"HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 5",
    "empty": b"HTTP/1.1\r\nTransfer-Encoding:\r\nContent-Length: 5",
    "twice": b"HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "HTTP/1.0": b"HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked",
    "two lengths": b"HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6",
}


@pytest.mark.parametrize("head", TWO_LENGTHS.values(), ids=TWO_LENGTHS)
def test_a_body_that_ends_in_two_places_is_refused_and_its_connection_closed(head: bytes) -> None:
    served = []

    def application(environ: Any, start: Any) -> list[bytes]:
        served.append(environ)
        start("200 OK", [("Content-Length", "0")])
        return [b""]

    sock = listening("127.0.0.1", 0)
    server = create_server(application, sockets=[sock])
    server.channel_class = StrictChannel
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        with socket.create_connection(sock.getsockname()[:2], timeout=60) as client:
            client.sendall(b"POST / " + head + b"\r\nHost: h\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: h\r\n\r\n")
            with client.makefile("rb") as answer:
                assert answer.readline().split()[1] == b"400"
                assert b"200" not in answer.read()  # and it ends
    finally:
        end_serving(server, thread, requests_s=1, loop_s=60)
    assert served == []


@pytest.mark.parametrize("reads", [True, False])
def test_an_answer_that_is_on_its_way_is_let_go_out(reads: bool) -> None:
    def application(environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "20000000")])  # more than sockets hold
        return [b"a" * 20_000_000]

    sock = listening("127.0.0.1", 0)
    server = create_server(application, sockets=[sock])
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with socket.create_connection(sock.getsockname()[:2], timeout=60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert client.recv(1) == b"H"
        ending = threading.Thread(target=end_serving, args=(server, thread), kwargs={"requests_s": 60, "loop_s": 60})
        if not reads:
            end_serving(server, thread, requests_s=0.5, loop_s=60)  # no longer than that
            assert not thread.is_alive()
            return
        ending.start()
        with client.makefile("rb") as answer:
            assert answer.read().count(b"a" * 1000) == 20_000
        ending.join(60)
    assert not thread.is_alive()

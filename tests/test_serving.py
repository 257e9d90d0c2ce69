"""How every web server of ours comes and goes: an address that is taken, and an end that no connection delays."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest
from waitress.server import create_server

from loadtest.errors import EngineError
from loadtest.serving import end_serving, listening


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

"""Connections that are too slow end: in a head, in a body, in reading. The clock is an argument, so nobody waits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waitress.server import create_server

from loadtest.emulator.lanes import BODY_TIMES, CHANNEL_TIMEOUT_S, SlowChannel, lane_of, watch
from loadtest.serving import end_serving, listening

LARGE = b"x" * (32 << 20)  # more than sockets hold
HEAD = b"POST / HTTP/1.1\r\nHost: h\r\n"


class Served:
    """A server with the emulator's rules, whose application answers `/large` and, once `gate` is set, the rest."""

    def __init__(self) -> None:
        self.gate, self.begun = threading.Event(), threading.Event()
        self.clients: list[socket.socket] = []
        sock = listening("127.0.0.1", 0)
        self.address = sock.getsockname()[:2]
        self.server: Any = create_server(self.answer, sockets=[sock], channel_timeout=CHANNEL_TIMEOUT_S)
        self.server.channel_class = SlowChannel
        watch(self.server)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def answer(self, environ: Any, start: Any) -> list[bytes]:
        body = LARGE if environ["PATH_INFO"] == "/large" else b"done"
        self.begun.set()
        if environ["PATH_INFO"] == "/slow":
            self.gate.wait(60)
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def sent(self, data: bytes) -> tuple[socket.socket, Any]:
        """A connection on which these bytes were sent, and the server's side of it."""
        client = socket.create_connection(self.address, timeout=60)
        self.clients.append(client)
        client.sendall(data)
        return client, self.channel(client)

    def channel(self, client: socket.socket) -> Any:
        """The server's side of a connection, once it has it."""
        while True:
            for channel in list(self.server.active_channels.values()):
                if channel.addr == client.getsockname():
                    return channel
            threading.Event().wait(0.01)

    def after(self, seconds: float) -> None:
        """What the server does when so much time has passed."""
        self.server.maintenance(time.time() + seconds)


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.gate.set()
    for client in made.clients:
        client.close()
    end_serving(made.server, made.thread, requests_s=5, loop_s=60)


def ended(client: socket.socket) -> bool:
    """The connection ends before a whole answer came."""
    client.settimeout(60)
    got = 0
    try:
        while data := client.recv(1 << 20):
            got += len(data)
    except ConnectionResetError:
        pass
    return got < len(LARGE)


def until(condition: Any) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at
        threading.Event().wait(0.01)


def test_a_head_that_dribbles_ends(served: Served) -> None:
    client, channel = served.sent(HEAD + b"X-More: a")
    until(lambda: channel.request is not None)
    channel.last_activity += CHANNEL_TIMEOUT_S  # a byte has just come
    served.after(CHANNEL_TIMEOUT_S - 10)
    assert not channel.will_close
    served.after(CHANNEL_TIMEOUT_S + 1)
    assert ended(client)


def test_a_body_that_stops_ends(served: Served) -> None:
    client, channel = served.sent(HEAD + b"Content-Length: 100\r\n\r\n12345")
    until(lambda: channel.request is not None)
    served.after(CHANNEL_TIMEOUT_S - 10)
    assert not channel.will_close
    served.after(CHANNEL_TIMEOUT_S + 1)
    assert ended(client)


def test_a_body_that_dribbles_has_ten_times_as_long(served: Served) -> None:
    client, channel = served.sent(HEAD + b"Content-Length: 100\r\n\r\n12345")
    until(lambda: channel.request is not None and channel.request.headers_finished)
    channel.last_activity += BODY_TIMES * CHANNEL_TIMEOUT_S
    served.after(CHANNEL_TIMEOUT_S + 1)
    assert not channel.will_close
    served.after(BODY_TIMES * CHANNEL_TIMEOUT_S + 1)
    assert ended(client)


def test_who_does_not_read_ends(served: Served) -> None:
    client, channel = served.sent(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
    until(lambda: channel.total_outbufs_len > 1 << 20)  # the body waits, not the head alone
    served.after(CHANNEL_TIMEOUT_S + 1)
    until(lambda: channel not in served.server.active_channels.values())  # though the client never reads a byte
    until(lambda: not served.server.task_dispatcher.active_count)  # nor does it keep a thread
    assert ended(client)


def test_who_waits_for_a_slow_answer_gets_it(served: Served) -> None:
    client, channel = served.sent(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
    assert served.begun.wait(60)
    served.after(BODY_TIMES * CHANNEL_TIMEOUT_S + 1)
    assert not channel.will_close
    served.gate.set()
    assert client.recv(12) == b"HTTP/1.1 200"


def test_a_connection_without_a_request_ends(served: Served) -> None:
    client, _ = served.sent(b"")
    served.after(CHANNEL_TIMEOUT_S + 1)
    assert ended(client)


@pytest.mark.parametrize(
    ("path", "target", "lane"),
    [
        ("/health", "", "health"),
        ("/endpoints/e/invocations", "", "invocations"),
        ("/endpoints/e/invocations-response-stream", "", "invocations"),
        ("/ui/jobs", "", "pages"),
        ("/", "SageMaker.DescribeInferenceRecommendationsJob", "jobs"),
        ("/", "SageMaker.GetScalingConfigurationRecommendation", "jobs"),
        ("/bucket/key", "", "others"),
    ],
)
def test_each_kind_of_request_has_threads_of_its_own(path: str, target: str, lane: str) -> None:
    assert lane_of(path, target) == lane

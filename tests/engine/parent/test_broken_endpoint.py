"""A server that breaks HTTP, or ends its connections: a real run against it, and how that is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from engine_kit import plan_of

from loadtest.core.request.spec import StopConditions
from loadtest.engine.parent.spawn import start
from loadtest.report.connections import connection_lines

pytestmark = pytest.mark.usefixtures("no_orphans")

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Answering:
    """A server in threads that sends `answer` to whatever comes. ends: and then closes."""

    def __init__(self, answer: bytes, *, ends: bool = False) -> None:
        self.answer, self.ends, self.requests = answer, ends, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while sock.recv(65536):
                self.requests += 1
                sock.sendall(self.answer)
                if self.ends:
                    return

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def servers() -> Iterator[list[Answering]]:
    made: list[Answering] = []
    yield made
    for server in made:
        server.close()


@pytest.mark.live
def test_users_rest_after_an_answer_that_is_none(servers: list[Answering]) -> None:
    servers.append(Answering(b"SSH-2.0-OpenSSH_9.6\r\n"))
    plan = plan_of((0.0, 2), end_s=1.5, target=servers[0].url, stop=StopConditions(flat_stops=False))
    totals = start(plan).result(40).totals
    # Two users, ten tries a second each at most.
    assert 0 < totals.errors <= 2 * 17
    assert totals.counts.details == {"malformed bad status line: 'SSH-2.0-OpenSSH_9.6'": totals.errors}


@pytest.mark.live
def test_an_endpoint_that_ends_its_connections_unsaid_is_told_as_one(servers: list[Answering]) -> None:
    servers.append(Answering(PLAIN, ends=True))
    totals = start(plan_of((0.0, 2), end_s=1.5, target=servers[0].url)).result(40).totals
    assert totals.errors == 0
    assert totals.ok > 0
    assert totals.connections.connects >= totals.ok
    assert totals.latencies.connect.p50_ms is not None
    # Whether a request finds the end of its connection before or after it was sent is a matter of microseconds.
    told = [line.plain for line in connection_lines(totals)]
    assert told[-1].startswith("  - why anew: ")
    assert set(totals.connections.connect_causes) == {"ended by the server"}
    assert bool(totals.connections.reconnects) == any("sent again (reconnects)" in line for line in told)

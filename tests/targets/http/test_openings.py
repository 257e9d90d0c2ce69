"""What opening a connection takes, apart from the latency: name, TCP, TLS, and addresses that do not answer."""

from __future__ import annotations

import ssl
import time
from itertools import pairwise
from typing import Any

import pytest
from authorities import Authority, make_authority
from peers import PLAIN, keep_alive, once, resetting
from peers import closing as ending

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
SLOW_S = 0.05


class SlowTls:
    """Begins the handshake late."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def wrap_socket(self, sock: Any, **options: Any) -> Any:
        time.sleep(SLOW_S)
        return self.context.wrap_socket(sock, **options)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def closing(peer: Any) -> None:
    peer.read()
    peer.send(CLOSING)


def test_a_slow_handshake_shows_beside_the_latency(drive: Any, serve: Any, authority: Authority) -> None:
    server = serve(closing, tls=SlowTls(authority.good))
    url = f"https://localhost:{server.port}/"
    rows = drive("http", url, invokes=3, options={"ca_file": authority.ca_file})
    assert [row.kind for row in rows] == ["ok"] * 3
    for row in rows:
        lookup_ns, connect_ns, handshake_ns, _, resent, _ = row.opening
        assert handshake_ns >= 0.9 * SLOW_S * 1e9
        assert min(lookup_ns, connect_ns) > 0
        assert resent is False
    # The latency begins when the opening is over.
    for before, after in pairwise(rows):
        assert after.sent_ns - before.done_ns >= 0.9 * SLOW_S * 1e9


def test_an_open_connection_is_not_opened(drive: Any, serve: Any) -> None:
    rows = drive("http", f"{serve(keep_alive).url}/", invokes=3)
    assert [row.opening is None for row in rows] == [False, True, True]
    assert rows[0].opening[2] == 0  # no TLS, no proxy


@pytest.mark.parametrize(
    ("script", "cause"),
    [(closing, "the answer said close"), (resetting(b""), "after a failure"),
     (once(PLAIN + b"x"), "bytes after the answer"),
     (ending(b"HTTP/1.0 200 OK\r\n\r\n{}"), "the answer said close"), (ending(PLAIN), "ended by the server"),
     (ending(b"HTTP/1.1 200 OK\r\n\r\n{}"), "ended by the server")],
)  # fmt: skip
def test_why_a_connection_is_opened_anew(drive: Any, serve: Any, script: Any, cause: str) -> None:
    rows = drive("http", f"{serve(script).url}/", invokes=3)
    assert [row.opening[5] for row in rows] == ["", cause, cause]


def test_a_dead_first_address_shows(drive: Any, serve: Any) -> None:
    server = serve(keep_alive)
    rows = drive("http", f"http://server.test:{server.port}/", invokes=2, first_address="127.0.0.2")
    assert [row.kind for row in rows] == ["ok", "ok"]
    assert rows[0].opening[3] == [f"127.0.0.2:{server.port} refused"]
    assert rows[1].opening is None


def test_a_failed_opening_is_a_failure_and_its_time_counts_as_waiting(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.server.stopping.wait(SLOW_S)

    server = serve(script)
    (row,) = drive("http", f"https://localhost:{server.port}/")
    assert (row.kind, row.opening) == ("connection", None)
    assert row.done_ns - row.sent_ns >= 0.9 * SLOW_S * 1e9

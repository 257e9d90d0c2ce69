"""TLS by memory BIO and proxies by environment, against real TLS servers and a scripted proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from typing import Any

import pytest
from authorities import Authority, make_authority

from loadtest.targets.http.tls import TlsStream, client_context

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("stranger"))


def keep_alive(peer: Any) -> None:
    while True:
        peer.read()
        peer.answer()


def echo(peer: Any) -> None:
    while True:
        peer.answer(peer.read().body)


def test_requests_over_tls_keep_their_connection_and_the_kernels_times(
    drive: Any, serve: Any, authority: Authority
) -> None:
    server = serve(keep_alive, tls=authority.good)
    rows = drive("http", f"{server.url}/invocations", invokes=4, options={"ca_file": authority.ca_file})
    assert [(row.kind, row.kernel_clock) for row in rows] == [("ok", True)] * 4
    assert server.connections == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies_over_tls(drive: Any, serve: Any, authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.good
    context.minimum_version = context.maximum_version = version
    try:
        server = serve(echo, tls=context)
        size = 2_000_000
        rows = drive(
            "http", f"{server.url}/", bodies=[size, 2, 40_000], invokes=3, options={"ca_file": authority.ca_file}
        )
        assert [(row.kind, row.bytes_in) for row in rows] == [("ok", size), ("ok", 2), ("ok", 40_000)]
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        context.minimum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_reads_slowly_what_comes_over_tls(
    drive: Any, serve: Any, authority: Authority, version: ssl.TLSVersion
) -> None:
    """TLS 1.3 sends tickets after the handshake: they are readable while the request is not yet sent, and no answer."""

    def script(peer: Any) -> None:
        peer.server.stopping.wait(0.1)
        echo(peer)

    context = authority.good
    context.minimum_version = context.maximum_version = version
    try:
        server = serve(script, tls=context)
        server.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        size = 6 * 1024 * 1024
        options = {"ca_file": authority.ca_file, "read_timeout_s": 8}
        rows = drive("http", f"{server.url}/", bodies=[size, 2], invokes=2, options=options)
        assert [(row.kind, row.bytes_in) for row in rows] == [("ok", size), ("ok", 2)]
        assert server.connections == 1
    finally:
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        context.minimum_version = ssl.TLSVersion.TLSv1_2


def test_the_first_byte_is_not_that_of_a_ticket(drive: Any, serve: Any, authority: Authority) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.server.stopping.wait(0.1)
        peer.answer()

    server = serve(script, tls=authority.good)
    (row,) = drive("http", f"{server.url}/", options={"ca_file": authority.ca_file})
    assert row.first_byte_ns - row.sent_ns >= 90_000_000


def test_an_alert_behind_an_answer_does_not_take_it_away(driver: Any, serve: Any, authority: Authority) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = authority.good.wrap_bio(incoming, outgoing, server_side=True)
    client = TlsStream(client_context(authority.ca_file), "localhost")
    done = False
    while not done:
        sent, done = client.handshake(outgoing.read())
        incoming.write(sent)
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
    server.write(b"answer")
    answer = outgoing.read()
    incoming.write(
        b"\x17\x03\x03\x00\x20" + bytes(32)
    )  # a record that cannot be decrypted: the server ends in an alert
    with pytest.raises(ssl.SSLError):
        server.read()
    assert client.decrypt(answer + outgoing.read()) == b"answer"
    assert client.ended


def test_a_connection_closed_while_it_is_being_opened(drive: Any, serve: Any, authority: Authority) -> None:
    drive.repeat = False  # the first request of a user, which opens the connection

    def script(peer: Any) -> None:
        peer.server.stopping.wait(0.3)
        with authority.good.wrap_socket(peer.sock, server_side=True) as peer.sock:
            keep_alive(peer)

    server = serve(script)
    url, options = f"https://127.0.0.1:{server.port}/", {"ca_file": authority.ca_file}
    (row,) = drive("http", url, close_s=0.1, invokes=0, options=options)
    assert (row.kind, row.detail) == ("connection", "closed")
    assert server.seen == []


def test_a_certificate_of_an_unknown_authority_is_refused(
    drive: Any, serve: Any, authority: Authority, stranger: Authority
) -> None:
    server = serve(keep_alive, tls=authority.good)
    detail = "certificate: unable to get local issuer certificate"
    for options in ({"ca_file": stranger.ca_file}, {}):
        (row,) = drive("http", f"{server.url}/", options=options)
        assert (row.kind, row.status, row.detail) == ("connection", 0, detail)
    assert server.seen == []


def test_a_certificate_for_another_name_is_refused(drive: Any, serve: Any, authority: Authority) -> None:
    server = serve(keep_alive, tls=authority.other_name)
    (row,) = drive("http", f"{server.url}/", options={"ca_file": authority.ca_file})
    assert (row.kind, row.detail.partition(": ")[0]) == ("connection", "certificate")
    assert "127.0.0.1" in row.detail
    assert server.seen == []


def test_the_environments_authorities_are_used(drive: Any, serve: Any, authority: Authority) -> None:
    server = serve(keep_alive, tls=authority.good)
    env = {"AWS_CA_BUNDLE": authority.ca_file}
    (row,) = drive("http", f"{server.url}/", env=env)
    assert row.kind == "ok"
    (row,) = drive("sagemaker", "ep", env={**KEYS, **env}, options={"endpoint_url": server.url})
    assert row.kind == "ok"
    assert server.seen[1].line == "POST /endpoints/ep/invocations HTTP/1.1"


def test_a_server_that_speaks_no_tls(drive: Any, serve: Any) -> None:
    def script(peer: Any) -> None:
        peer.receive()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.until_closed()

    server = serve(script)
    (row,) = drive("http", f"https://127.0.0.1:{server.port}/")
    assert (row.kind, row.detail) == ("connection", "tls: wrong version number")


def test_a_server_that_says_nothing_to_the_handshake(drive: Any, serve: Any) -> None:
    server = serve(lambda peer: peer.until_closed())
    (row,) = drive("http", f"https://127.0.0.1:{server.port}/", options={"connect_timeout_s": 0.3})
    assert (row.kind, row.detail) == ("connection", "connect timeout")


@pytest.mark.parametrize("how", ["notify", "drop"])
def test_the_end_of_a_tls_stream_ends_the_answer(drive: Any, serve: Any, authority: Authority, how: str) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
        if how == "notify":
            peer.sock.unwrap()

    server = serve(script, tls=authority.good)
    rows = drive("http", f"{server.url}/", invokes=2, options={"ca_file": authority.ca_file})
    assert [(row.kind, row.bytes_in) for row in rows] == [("ok", 5)] * 2
    assert server.connections == 2


def test_a_tls_connection_that_ended_while_idle_is_opened_anew(drive: Any, serve: Any, authority: Authority) -> None:
    def script(peer: Any) -> None:
        peer.read()
        peer.answer()
        if peer.index % 2:
            peer.sock.unwrap()

    server = serve(script, tls=authority.good)
    rows = drive("http", f"{server.url}/", invokes=4, pause_s=0.1, options={"ca_file": authority.ca_file})
    assert [row.kind for row in rows] == ["ok"] * 4
    assert server.connections == 4


def proxy(refuse: bytes = b"", welcome: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Any:
    """A proxy that sends every request, whatever host it names, to the port that the host's URL has."""

    def script(peer: Any) -> None:
        while True:
            seen = peer.read()
            if refuse:
                peer.send(refuse)
                continue
            method, target, _ = seen.line.split(" ")
            if method != "CONNECT":
                peer.answer(b"by proxy")
                continue
            with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as onward:
                peer.send(welcome)
                back = threading.Thread(target=pump, args=(onward, peer.sock))
                back.start()
                pump(peer.sock, onward)
                back.join()
            return

    return script


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_plain_http_goes_through_the_proxy_by_its_whole_url(drive: Any, serve: Any) -> None:
    via = serve(proxy())
    env = {**KEYS, "HTTP_PROXY": f"http://us%40er:pa%3Ass@127.0.0.1:{via.port}"}
    rows = drive("sagemaker", "ep", env=env, options={"endpoint_url": "http://models.test:8080"}, invokes=2)
    assert [(row.kind, row.bytes_in) for row in rows] == [("ok", 8)] * 2
    assert via.connections == 1
    seen = via.seen[0]
    assert seen.line == "POST http://models.test:8080/endpoints/ep/invocations HTTP/1.1"
    assert seen.headers["host"] == "models.test:8080"
    assert seen.headers["proxy-authorization"] == "Basic " + b64encode(b"us@er:pa:ss").decode()
    assert "proxy-authorization" not in seen.headers["authorization"]


def test_tls_goes_through_a_tunnel(drive: Any, serve: Any, authority: Authority) -> None:
    server, via = serve(echo, tls=authority.good), serve(proxy())
    env = {"https_proxy": f"user:word@127.0.0.1:{via.port}", **KEYS}
    options = {"endpoint_url": f"https://localhost:{server.port}", "ca_file": authority.ca_file}
    rows = drive("sagemaker", "ep", env=env, options=options, invokes=3, bodies=["abc"])
    assert [(row.kind, row.bytes_in, row.kernel_clock) for row in rows] == [("ok", 3, True)] * 3
    (connect,) = via.seen
    assert connect.line == f"CONNECT localhost:{server.port} HTTP/1.1"
    assert connect.headers["proxy-authorization"] == "Basic " + b64encode(b"user:word").decode()
    assert server.seen[0].line == "POST /endpoints/ep/invocations HTTP/1.1"
    assert "proxy-authorization" not in server.seen[0].headers


def test_no_proxy_goes_around_it_and_so_does_a_container_on_this_machine(drive: Any, serve: Any) -> None:
    server, via = serve(keep_alive), serve(proxy())
    env = {**KEYS, "HTTP_PROXY": f"http://127.0.0.1:{via.port}"}
    (row,) = drive("sagemaker", "ep", env={**env, "NO_PROXY": "127.0.0.1"}, options={"endpoint_url": server.url})
    assert row.kind == "ok"
    for host in ("127.0.0.1", "localhost"):
        (row,) = drive("http", f"http://{host}:{server.port}/invocations", env=env)
        assert row.kind == "ok"
    assert (len(server.seen), via.seen) == (3, [])
    # As with boto3, the emulator's address is no exception.
    (row,) = drive("sagemaker", "ep", env=env, options={"endpoint_url": server.url})
    assert (row.kind, len(via.seen)) == ("ok", 1)


@pytest.mark.parametrize(
    ("refusal", "detail"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno", "proxy: 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy: 502"),
        (b"garbage\r\n\r\n", "proxy: no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore than was asked for", "proxy: no HTTP answer"),
    ],
)
def test_a_proxy_that_refuses(drive: Any, serve: Any, refusal: bytes, detail: str) -> None:
    via = serve(proxy(refusal))
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{via.port}"}
    (row,) = drive("http", "https://models.test/", env=env)
    assert (row.kind, row.status, row.detail) == ("connection", 0, detail)


@pytest.mark.parametrize(
    "welcome", [b"HTTP/1.0 200 Connection Established\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
def test_a_tunnel_outlives_what_the_proxy_says_of_its_connection(
    drive: Any, serve: Any, authority: Authority, welcome: bytes
) -> None:
    server, via = serve(echo, tls=authority.good), serve(proxy(welcome=welcome))
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{via.port}"}
    url = f"https://localhost:{server.port}/"
    rows = drive("http", url.replace("localhost", "models.test"), env=env, options={"ca_file": authority.ca_file})
    assert rows[0].detail.startswith("certificate: ")  # through the tunnel, but it is another server's
    options = {"ca_file": authority.ca_file, "endpoint_url": f"https://localhost:{server.port}"}
    rows = drive("sagemaker", "ep", env={**env, **KEYS}, options=options, invokes=2, bodies=["abc"])
    assert [(row.kind, row.bytes_in) for row in rows] == [("ok", 3)] * 2


def test_a_proxy_that_is_not_there_or_cannot_be_used(drive: Any) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (row,) = drive("http", "http://models.test/", env={"HTTP_PROXY": f"127.0.0.1:{bound.getsockname()[1]}"})
    assert (row.kind, row.detail) == ("connection", "proxy: refused")
    for proxy_url, word in (
        ("https://127.0.0.1:1", "NO_PROXY"),
        ("socks5://127.0.0.1:1", "socks5"),
        ("http://[::1", "proxy"),
        ("http://:80", "host"),
    ):
        told = drive.error("http", "http://models.test/", env={"HTTP_PROXY": proxy_url})
        assert told.startswith("TargetError")
        assert word in told

"""Opening a connection: name, TCP, proxy, TLS. The slow path, with ordinary gevent waits."""

from __future__ import annotations

import _socket
import errno
import ssl
from collections.abc import Iterable
from time import monotonic_ns
from typing import Any

import gevent
from gevent import get_hub

from loadtest.core.measure.outcome import Kind, Opening
from loadtest.targets.failures import Failed, lookup_failure, socket_failure
from loadtest.targets.http import timestamps
from loadtest.targets.http.route import Route
from loadtest.targets.http.tls import TlsStream, tls_failure
from loadtest.wire.http1 import ResponseParser

__all__ = ["dial"]

_READ, _WRITE = 1, 2
_READ_BYTES = 64 * 1024


class _Late(Exception):
    """The connect timeout passed."""


def dial(route: Route) -> tuple[_socket.socket, TlsStream | None, Opening]:
    """A connected non-blocking socket that asks for timestamps, its TLS handshake done, and how long that took.

    Raises Failed.

    The name is resolved anew each time. Its addresses are tried in order, each for the connect timeout; so are the
    proxy's answer and the handshake.
    """
    via = route.proxy
    host, port = (route.host, route.port) if via is None else (via.host, via.port)
    dead: list[str] = []
    began_ns = monotonic_ns()
    try:
        addresses = _addresses(host, port, route)
        found_ns = monotonic_ns()
        sock = _connect(addresses, route, dead)
        connected_ns = monotonic_ns()
    except Failed as problem:
        if via is not None and problem.kind is Kind.CONNECTION:
            raise Failed(Kind.CONNECTION, f"proxy: {problem.detail}") from None
        raise
    try:
        with gevent.Timeout(route.connect_timeout_s, _Late):
            if via is not None and route.tls is not None:
                _tunnel(sock, route, via.authorization)
            tls = None if route.tls is None else _handshake(sock, TlsStream(route.tls, route.host))
    except BaseException as problem:
        sock.close()
        raise _explain(problem) from problem
    done_ns = monotonic_ns() if tls is not None or via is not None else connected_ns
    return sock, tls, Opening(found_ns - began_ns, connected_ns - found_ns, done_ns - connected_ns, tuple(dead))


def _explain(problem: BaseException) -> BaseException:
    if isinstance(problem, _Late):
        return Failed(Kind.CONNECTION, "connect timeout")
    if isinstance(problem, ssl.SSLError):
        return Failed(Kind.CONNECTION, tls_failure(problem))
    if isinstance(problem, OSError):
        return Failed(*socket_failure(problem))
    return problem


def _addresses(host: str, port: int, route: Route) -> list[tuple[Any, ...]]:
    try:
        # An address needs no resolver, and no thread of its pool.
        return _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM, 0, _socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass
    try:
        with gevent.Timeout(route.connect_timeout_s, _Late):
            return route.system.resolve(host, port, 0, _socket.SOCK_STREAM)
    except (OSError, UnicodeError, _Late):
        raise lookup_failure() from None


def _connect(addresses: Iterable[tuple[Any, ...]], route: Route, dead: list[str]) -> _socket.socket:
    """dead: where the addresses that failed are noted, for the case that another one does not."""
    failure = Failed(Kind.CONNECTION, "name not resolved")
    for family, kind, protocol, _, address in addresses:
        try:
            sock = _socket.socket(family, kind, protocol)
        except OSError as problem:
            failure = Failed(*socket_failure(problem))
            dead.append(_dead(address, failure))
            continue
        try:
            sock.setblocking(False)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            timestamps.enable(sock, route.system.stamps)
            with gevent.Timeout(route.connect_timeout_s, _Late):
                _await_connected(sock, address)
            return sock
        except _Late:
            sock.close()
            failure = Failed(Kind.CONNECTION, "connect timeout")
        except OSError as problem:
            sock.close()
            failure = Failed(*socket_failure(problem))
        except BaseException:
            sock.close()
            raise
        dead.append(_dead(address, failure))
    raise failure


def _dead(address: tuple[Any, ...], failure: Failed) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]} {failure.detail}"


def _await_connected(sock: _socket.socket, address: Any) -> None:
    code = sock.connect_ex(address)
    if code in (errno.EINPROGRESS, errno.EAGAIN):
        _wait(sock, _WRITE)
        code = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
    if code:
        raise OSError(code, errno.errorcode.get(code, ""))


def _tunnel(sock: _socket.socket, route: Route, authorization: str | None) -> None:
    """Ask the proxy for a connection to the server (RFC 9110, 9.3.6)."""
    name = f"[{route.host}]:{route.port}" if ":" in route.host else f"{route.host}:{route.port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if authorization is not None:
        lines.append(f"Proxy-Authorization: {authorization}")
    _send(sock, "\r\n".join([*lines, "", ""]).encode("latin-1"))
    parser = ResponseParser(connect=True)
    # Of a refusal the head is enough: its body may last as long as the proxy likes.
    while not parser.feed(_receive(sock)) and not parser.head.status:
        pass
    if parser.fault or (parser.head.status < 300 and not parser.reusable):
        raise Failed(Kind.CONNECTION, "proxy: no HTTP answer")
    if parser.head.status >= 300:
        raise Failed(Kind.CONNECTION, f"proxy: {parser.head.status}")


def _handshake(sock: _socket.socket, tls: TlsStream) -> TlsStream:
    received = b""
    while True:
        try:
            outgoing, done = tls.handshake(received)
        except ssl.SSLError:
            alert = tls.pending()
            if alert:
                _send(sock, alert)
            raise
        if outgoing:
            _send(sock, outgoing)
        if done:
            return tls
        received = _receive(sock)


def _send(sock: _socket.socket, data: bytes) -> None:
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            _wait(sock, _WRITE)


def _receive(sock: _socket.socket) -> bytes:
    while True:
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            _wait(sock, _READ)
            continue
        if not data:
            raise Failed(Kind.CONNECTION, "closed")
        return data


def _wait(sock: _socket.socket, events: int) -> None:
    hub = get_hub()
    watcher = hub.loop.io(sock.fileno(), events)
    try:
        hub.wait(watcher)
    finally:
        watcher.close()

"""One user of an HTTP target: payload in, outcome out. What all users share is in `Shared`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import time_ns
from typing import Literal, Protocol

import gevent

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.targets.base import Listener, Payload
from loadtest.targets.classify import EXPIRED_CODES, classify, error_of
from loadtest.targets.failures import Failed
from loadtest.targets.http import timestamps
from loadtest.targets.http.connection import Connection
from loadtest.targets.http.parts import EventParts, Parts, ReadParts
from loadtest.targets.http.relay import Relay
from loadtest.targets.http.route import Route
from loadtest.targets.http.watchdog import Watchdog
from loadtest.targets.redirect import with_location
from loadtest.wire.head import HeadReader
from loadtest.wire.http1 import ResponseParser

__all__ = ["ConnectionTarget", "Requests", "Shared", "StreamUser", "Streaming", "User"]

Streaming = Literal["events", "reads"]

RENEWALS = 3  # of one request, on a machine that does nothing for as long as credentials live
UNSENT_S = 0.01  # a user whose requests cannot even be made, for want of credentials, must not become a busy loop


class Requests(Protocol):
    """Makes the head of each request."""

    def head(self, payload: Payload) -> bytes:
        """Raises Failed if none can be made now."""
        ...

    def quick_head(self, payload: Payload) -> tuple[bytes, int, int] | None:
        """The same if it can be made without waiting, and from and until when (ns of CLOCK_REALTIME) it can be sent."""
        ...

    def renewed(self, head: bytes, payload: Payload) -> bytes | None:
        """A head in place of `head`, whose credentials expired; None: there are no newer ones. It may have to wait."""
        ...


class Shared:
    """What the users of one target have in common.

    streaming: how the parts of an answer are told apart; None: not. strict: answers are read by the letter of RFC 9112.
    way: the proxy, if there is one, as a fact.
    """

    def __init__(
        self, route: Route, requests: Requests, streaming: Streaming | None = None, *, strict: bool = False
    ) -> None:
        self.requests = requests
        self._route = route
        self._streaming = streaming
        self._watchdog = Watchdog(route.read_timeout_s)
        self.heads = HeadReader(strict=strict)
        self._users: set[User] = set()
        self.way = {"target_proxy": f"{route.proxy.host}:{route.proxy.port}"} if route.proxy is not None else {}
        self._anchor = timestamps.anchor()

    def user(self) -> User:
        """A user with a connection of its own, not yet open."""
        parts: Parts | None = None
        if self._streaming is not None:
            parts = EventParts() if self._streaming == "events" else ReadParts()
        parser = ResponseParser(self.heads, keep=parts is not None)
        connection = Connection(self._route, self._watchdog, parser, parts)
        user = StreamUser(self, connection, parts) if parts is not None else User(self, connection)
        self._users.add(user)
        return user

    def forget(self, user: User) -> None:
        """The user was closed."""
        self._users.discard(user)

    def close(self) -> None:
        """Close every user's connection."""
        for user in list(self._users):
            user.close()
        self._anchor.close()


class ConnectionTarget:
    """A target whose users have a connection each, opened by their first request. Without users it is one itself.

    facts: as in `KnownTarget`: target_url, and what else is given here.
    """

    def __init__(self, shared: Shared, url: str, **facts: str) -> None:
        self._shared = shared
        self.facts = {"target_url": url.partition("?")[0], **shared.way, **facts}
        self._own: User | None = None

    def for_user(self) -> User:
        return self._shared.user()

    def invoke(self, payload: Payload) -> Outcome:
        if self._own is None:
            self._own = self.for_user()
        return self._own.invoke(payload)

    def close(self) -> None:
        self._shared.close()


class User:
    """Target of one user."""

    __slots__ = ("_connection", "_head", "_relay", "_shared")

    def __init__(self, shared: Shared, connection: Connection) -> None:
        self._shared = shared
        self._head = shared.requests.head
        self._connection = connection
        self._relay: Relay | None = None

    def invoke(self, payload: Payload) -> Outcome:
        try:
            request_head = self._head(payload)
        except Failed as problem:
            outcome = _unsent(problem)
            gevent.sleep(UNSENT_S)
            return outcome
        return self._settled(self._connection.exchange(request_head, payload.body), request_head, payload)

    def invoke_repeatedly(self, next_payload: Callable[[], Payload], listener: Listener) -> None:
        """As `RepeatingTarget`. An invocation of its own opens the connection; then the relay takes over."""
        shared = self._shared
        if self._relay is None:
            self._relay = Relay(self._connection, shared.requests.quick_head, shared.heads.whole, self._settled)
        payload: Payload | None = next_payload()
        while payload is not None and listener.ended(self.invoke(payload)):
            payload = self._relay.run(next_payload(), next_payload, listener)

    def _settled(self, answered: bool, head: bytes, payload: Payload) -> Outcome:
        """Of the connection's last exchange, which is made again if its credentials expired on the way.

        Nobody but the service's doorkeeper saw such a request. Its latency counts from the first time that it was sent.
        """
        outcome = self._outcome(answered)
        for _ in range(RENEWALS):
            if outcome.kind is not Kind.CREDENTIALS or outcome.detail not in EXPIRED_CODES:
                break
            newer = self._shared.requests.renewed(head, payload)
            if newer is None:
                break
            began = self._connection.start_ns, self._connection.sent_ns
            head = newer
            outcome = self._outcome(self._connection.exchange(head, payload.body, began))
        return outcome

    def _outcome(self, answered: bool) -> Outcome:
        """Of the connection's last exchange. answered: what that returned."""
        connection = self._connection
        if not answered:
            return self._failed(*connection.failure)
        parser = connection.parser
        head = parser.head
        if not 200 <= head.status < 300:
            headers = parser.headers()
            code, original_status = error_of(headers, parser.take())
            kind, detail = classify(head.status, code, original_status)
            return self._failed(kind, with_location(head.status, headers, detail))
        return Outcome(
            Kind.OK,
            head.status,
            parser.body_bytes,
            connection.sent_ns,
            connection.first_ns,
            connection.done_ns,
            head.model_latency_us,
            kernel_clock=connection.kernel_clock,
            opening=connection.opening,
        )

    def close(self) -> None:
        """End the connection; a request that waits for its answer, in another greenlet, fails as closed."""
        self._connection.close()
        self._shared.forget(self)

    def _failed(self, kind: Kind, detail: str) -> Outcome:
        answer, times = self._connection.parser, self._connection
        status, bytes_in = (answer.head.status, answer.body_bytes) if answer.started else (0, 0)
        return Outcome(
            kind,
            status,
            bytes_in,
            times.sent_ns,
            times.first_ns,
            times.done_ns,
            detail=detail,
            kernel_clock=times.kernel_clock,
            opening=times.opening,
        )


class StreamUser(User):
    """Target of one user that wants its answers in parts: first byte is the first part."""

    __slots__ = ("_parts",)

    def __init__(self, shared: Shared, connection: Connection, parts: Parts) -> None:
        super().__init__(shared, connection)
        self._parts = parts

    def invoke_repeatedly(self, next_payload: Callable[[], Payload], listener: Listener) -> None:
        while listener.ended(self.invoke(next_payload())):
            pass

    def invoke(self, payload: Payload) -> Outcome:
        parts = self._parts
        parts.begin()
        outcome = super().invoke(payload)
        if outcome.kind is not Kind.OK:
            return outcome
        failure = parts.failure()
        if failure is not None:
            return self._failed(*failure)
        times = parts.times_ns
        gaps = tuple(after - before for before, after in pairwise(times))
        first_ns = times[0] if times else outcome.done_ns
        return outcome._replace(bytes_in=parts.bytes_in, first_byte_ns=first_ns, gaps_ns=gaps)


def _unsent(problem: Failed) -> Outcome:
    """No request could be made: it failed here and now."""
    now_ns = time_ns()
    return Outcome(problem.kind, 0, 0, now_ns, now_ns, now_ns, detail=problem.detail)

"""Threads for waitress by kind of request, so that a slow kind never takes them from the others; and connections that
end when their client is too slow.

An invocation holds a thread for as long as the endpoint takes, up to a minute; Describe and /health must not wait for
that. waitress hands each request to a dispatcher: this one has a pool for each kind. Slow clients hold a connection,
not a thread, and when there are too many the one that has been waiting longest makes room for the next.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Mapping
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from loadtest.serving import StrictChannel

__all__ = ["BODY_TIMES", "CHANNEL_TIMEOUT_S", "LANES", "Lanes", "SlowChannel", "is_page", "watch"]

# Kind of request -> threads.
LANES: Mapping[str, int] = {"health": 1, "jobs": 4, "invocations": 64, "pages": 16, "others": 24}
CHANNEL_TIMEOUT_S = 60  # of a connection on which nothing moves
BODY_TIMES = 10  # so many of these a request with its body may take
_FULL = 0.9  # share of the connection limit above which waiting connections are closed

_INVOCATION = re.compile(r"/endpoints/[^/]+/invocations")


def is_page(path: str) -> bool:
    """Is it one for people? No bucket can have this name: S3's have three letters."""
    return path == "/ui" or path.startswith("/ui/")


def lane_of(path: str, target: str) -> str:
    """The kind of a request: a key of LANES."""
    if path == "/health":
        return "health"
    if _INVOCATION.match(path):
        return "invocations"
    if is_page(path):  # one that shows a running test holds its thread
        return "pages"
    return "jobs" if "InferenceRecommendationsJob" in target or "ScalingConfiguration" in target else "others"


class Lanes:
    """A waitress dispatcher that is one for each kind."""

    def __init__(self, threads: Mapping[str, int] = LANES) -> None:
        self._lanes = {name: ThreadedTaskDispatcher() for name in threads}
        for name, count in threads.items():
            self._lanes[name].set_thread_count(count)
            self._lanes[name].queue_logger = _Quiet()

    def add_task(self, channel: Any) -> None:
        """A channel with a request at the head of `requests`."""
        request = channel.requests[0]
        name = lane_of(getattr(request, "path", "") or "", request.headers.get("X_AMZ_TARGET", ""))
        self._lanes[name].add_task(channel)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End all threads, each pool's within what is left of the time (s)."""
        for lane in self._lanes.values():
            lane.set_thread_count(0)
        until_s = time.monotonic() + timeout
        ended = [lane.shutdown(cancel_pending, max(0.0, until_s - time.monotonic())) for lane in self._lanes.values()]
        return all(ended)


class _Quiet:
    def warning(self, *_: Any) -> None:
        """A queue is normal here."""


class SlowChannel(StrictChannel):
    """A connection that makes room for others: of too many, the one that has been waiting longest ends."""

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        super().__init__(server, sock, addr, adj, map)
        channels = server.active_channels
        if len(channels) > adj.connection_limit * _FULL:
            waiting = [one for one in channels.values() if not one.requests and one is not self and not one.will_close]
            if waiting:
                min(waiting, key=lambda one: one.waiting_since).handle_close()

    @property
    def waiting_since(self) -> float:
        """Since when no whole request came: of the connection, or of its last answer."""
        since: float = getattr(self, "served_at", None) or self.creation_time
        return since

    def service(self) -> None:
        super().service()
        self.served_at = time.time()


def watch(server: Any) -> None:
    """Let a waitress server end connections that are too slow: in a head, in a body, in reading an answer."""

    def maintenance(now: float) -> None:
        cutoff = now - server.adj.channel_timeout
        for channel in list(server.active_channels.values()):
            late = False
            if (sent := channel.request) is not None and not sent.completed:
                most_s = server.adj.channel_timeout * (BODY_TIMES if sent.headers_finished else 1)
                late = channel.waiting_since < now - most_s  # however often a byte comes
            still = channel.last_activity < cutoff and (not channel.requests or channel.total_outbufs_len)
            if late or still:
                channel.will_close = True
                if channel.total_outbufs_len:
                    # waitress closes when it can write, which it never can to somebody who does not read.
                    with contextlib.suppress(OSError):
                        channel.socket.shutdown(socket.SHUT_RDWR)

    server.maintenance = maintenance

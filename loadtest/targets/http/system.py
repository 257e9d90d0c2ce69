"""What the hot path takes from the operating system, as a value: another system, or another clock, is another value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gevent import socket as gevent_socket
from gevent.monkey import get_original

__all__ = ["SO_TIMESTAMPNS", "SYSTEM", "System"]

# asm-generic/socket.h: SO_TIMESTAMPNS_OLD, whose timespec is two longs. Python gives the name a constant from 3.14 on.
SO_TIMESTAMPNS = 35

try:
    # gevent takes it out of the select module, since its `poll` could block the loop; with a timeout of 0 it does not.
    _epoll: Callable[[], Any] | None = get_original("select", "epoll")
except AttributeError:  # not Linux
    _epoll = None


@dataclass(frozen=True, slots=True)
class System:
    """A clock, a resolver, a way to wait and a socket option.

    time_ns: CLOCK_REALTIME. resolve: getaddrinfo, for names. epoll: makes one; None: the system has none. stamps: the
    socket option that asks for receive times.
    """

    time_ns: Callable[[], int] = time.time_ns
    resolve: Callable[..., list[tuple[Any, ...]]] = gevent_socket.getaddrinfo
    epoll: Callable[[], Any] | None = _epoll
    stamps: int = SO_TIMESTAMPNS


SYSTEM = System()

"""When the kernel received what a read returned: SO_TIMESTAMPNS, which a busy process cannot falsify.

Linux gives the receive time of the last segment that a `recvmsg` returned, on CLOCK_REALTIME, as ancillary data. Other
systems have no such option for TCP; there every time is taken in this process, and outcomes say so (`kernel_clock`).
"""

from __future__ import annotations

import _socket
import struct
import sys
from typing import Any

from loadtest.targets.http.system import SO_TIMESTAMPNS

__all__ = ["ANCILLARY_BYTES", "anchor", "enable", "received_ns"]

_TIMESPEC = struct.Struct("@ll")

ANCILLARY_BYTES = _socket.CMSG_SPACE(_TIMESPEC.size)
_STEP_NS = 1_000_000  # a wall clock that moved more than this during a request was set
_unpack = _TIMESPEC.unpack


def enable(sock: _socket.socket, option: int = SO_TIMESTAMPNS) -> bool:
    """Ask the kernel for receive times; False if it has none to give. option: as `System.stamps`."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(_socket.SOL_SOCKET, option, 1)
    except OSError:
        return False
    return True


def anchor() -> _socket.socket:
    """A socket to hold open as long as receive times are wanted.

    With the first socket that asks, the kernel begins to stamp packets, but a moment later (net_enable_timestamp
    leaves it to a work queue); with the last one it stops. So the answers to the first requests would have no time.
    """
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    enable(sock)
    return sock


def received_ns(ancillary: Any, sent_ns: int, waited_ns: int) -> int:
    """When what `recvmsg` returned was received, on CLOCK_REALTIME; -1 if its time is absent, or absurd.

    sent_ns: when the request left, on CLOCK_REALTIME. waited_ns: since then, by the monotonic clock, which nobody sets.
    """
    if not ancillary:
        return -1
    seconds, nanoseconds = _unpack(ancillary[0][2])
    at_ns: int = seconds * 1_000_000_000 + nanoseconds
    return at_ns if 0 <= at_ns - sent_ns <= waited_ns + _STEP_NS else -1

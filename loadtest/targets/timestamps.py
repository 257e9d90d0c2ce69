"""When the kernel received what a read returned: SO_TIMESTAMPNS, which a busy process cannot falsify.

Linux gives the receive time of the last segment that a `recvmsg` returned, on CLOCK_REALTIME, as ancillary data. Other
systems have no such option for TCP; there every time is taken in this process, and outcomes say so (`kernel_clock`).
"""

from __future__ import annotations

import _socket
import struct
import sys

__all__ = ["ANCILLARY_BYTES", "anchor", "enable", "unpack"]

# asm-generic/socket.h: SO_TIMESTAMPNS_OLD, whose timespec is two longs. Python gives the name a constant from 3.14 on.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")

ANCILLARY_BYTES = _socket.CMSG_SPACE(_TIMESPEC.size)
unpack = _TIMESPEC.unpack  # of the ancillary data: (seconds, nanoseconds)


def enable(sock: _socket.socket) -> bool:
    """Ask the kernel for receive times; False if it has none to give."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(_socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
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

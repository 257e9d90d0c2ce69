"""What failures without an answer are called in results: refused, reset, unreachable, name not resolved, ...

Those of this machine itself are told apart: a request that it could not send says nothing about the endpoint.
"""

from __future__ import annotations

import _socket
import errno
import socket
import ssl

from loadtest.core.measure.outcome import Kind

__all__ = ["UNNAMED", "Failed", "local_failure", "lookup_failure", "socket_failure"]

UNNAMED = "connection"  # the detail of a failure of a socket that has no word of its own
_LOCAL = {
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files on the machine",
    errno.EADDRNOTAVAIL: "no local address or port free",
    errno.ENOBUFS: "no buffer space",
    errno.ENOMEM: "no memory",
    errno.EPERM: "forbidden by a local rule",
    errno.EACCES: "forbidden by a local rule",
}
_UNREACHABLE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN))


class Failed(Exception):
    """An exchange that came to nothing; never leaves the targets. kind and detail: as in an Outcome."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def local_failure(problem: OSError) -> str | None:
    """What this machine lacks, as the detail of a `Kind.LOCAL`; None: it is not this machine that failed."""
    if isinstance(problem, (ssl.SSLError, socket.gaierror)):
        return None  # their numbers are not the system's
    return None if problem.errno is None else _LOCAL.get(problem.errno)


def socket_failure(problem: OSError) -> tuple[Kind, str]:
    """(kind, detail) of what a system call raised."""
    own = local_failure(problem)
    if own is not None:
        return Kind.LOCAL, own
    if isinstance(problem, ConnectionRefusedError):
        return Kind.CONNECTION, "refused"
    if isinstance(problem, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return Kind.CONNECTION, "reset"
    if isinstance(problem, TimeoutError):
        return Kind.CONNECTION, "connect timeout"
    if problem.errno in _UNREACHABLE:
        return Kind.CONNECTION, "unreachable"
    return Kind.CONNECTION, UNNAMED


def lookup_failure() -> Failed:
    """Why a name was not resolved, by what can be opened now.

    A resolver without a descriptor to ask with says the same as one that has heard that there is no such name.
    """
    try:
        _socket.socket().close()
    except OSError as problem:
        return Failed(*socket_failure(problem))
    return Failed(Kind.CONNECTION, "name not resolved")

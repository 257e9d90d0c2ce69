"""What failures of sockets are called in results: refused, reset, unreachable, name not resolved, ..."""

from __future__ import annotations

import _socket
import errno

from loadtest.core.measure.outcome import Kind
from loadtest.targets.local import local_failure

__all__ = ["Failed", "lookup_failure", "socket_failure"]

_UNREACHABLE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN))


class Failed(Exception):
    """An exchange that came to nothing; never leaves the targets. kind and detail: as in an Outcome."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


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
    return Kind.CONNECTION, "connection"


def lookup_failure() -> Failed:
    """Why a name was not resolved, by what can be opened now.

    A resolver without a descriptor to ask with says the same as one that has heard that there is no such name.
    """
    try:
        _socket.socket().close()
    except OSError as problem:
        return Failed(*socket_failure(problem))
    return Failed(Kind.CONNECTION, "name not resolved")

"""Failures that are this machine's own: a request that it could not send says nothing about the endpoint."""

from __future__ import annotations

import errno
import socket
import ssl

__all__ = ["local_failure"]

_WORDS = {
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files on the machine",
    errno.EADDRNOTAVAIL: "no local address or port free",
    errno.ENOBUFS: "no buffer space",
    errno.ENOMEM: "no memory",
    errno.EPERM: "forbidden by a local rule",
    errno.EACCES: "forbidden by a local rule",
}


def local_failure(problem: OSError) -> str | None:
    """What this machine lacks, as the detail of a `Kind.LOCAL`; None: it is not this machine that failed."""
    if isinstance(problem, (ssl.SSLError, socket.gaierror)):
        return None  # their numbers are not the system's
    return None if problem.errno is None else _WORDS.get(problem.errno)

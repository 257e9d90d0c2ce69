"""File descriptors for as many connections as a run may open at once."""

from __future__ import annotations

import sys

__all__ = ["allow_connections"]

SPARE = 64  # pipes, the loop's own, payload files


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files to hold `count` connections, as far as the system lets it.

    Beyond that, connections are refused by the system: failures that are this machine's own (`Kind.LOCAL`).
    """
    if sys.platform == "win32":
        return  # sockets are not counted there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE if hard == resource.RLIM_INFINITY else min(count + SPARE, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

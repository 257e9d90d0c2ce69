"""Where a client's connection is.

    WAITING --a request is whole--> SERVING --it is for the model--> INVOKING
       ^                              |  ^                               |
       '------- answered, stays ------'  '---- the model is done --------'
                                      |
                answered, or refused, and not to stay: LINGERING until the client has read it, or two seconds

What else is known of the connection is independent of this: whether the client still sends (`_eof`), whether it reads
(`_blocked`), and whether so many requests wait that it is not read from (`_full`).
"""

from __future__ import annotations

import enum

__all__ = ["Stage"]


class Stage(enum.Enum):
    """What a connection does now."""

    WAITING = enum.auto()  # for a request that is whole
    SERVING = enum.auto()  # a request is being routed, or answered
    INVOKING = enum.auto()  # the model has it
    LINGERING = enum.auto()  # the last answer is sent; what still comes is read and dropped

"""Why a relay gives the connection back to the user's greenlet."""

from __future__ import annotations

import enum

__all__ = ["Exit"]


class Exit(enum.Enum):
    """What is left to do."""

    SETTLE = enum.auto()  # a request is under way: the connection goes on with its answer, which is not the common case
    HAND_BACK = enum.auto()  # the next request cannot be made without waiting: the greenlet makes it
    OVER = enum.auto()  # the listener has heard enough
    FAULT = enum.auto()  # a callback raised

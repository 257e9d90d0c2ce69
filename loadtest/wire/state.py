"""Where a response parser is.

START --> HEAD --> LENGTH ----------------------------> DONE
           | ^     CHUNK_SIZE -> CHUNK_DATA -> ... -> TRAILERS -> DONE
           1xx     UNTIL_CLOSE --(end of stream)------> DONE          anything wrong: DONE with a fault
"""

from __future__ import annotations

import enum

__all__ = ["State"]


class State(enum.Enum):
    """What of an answer a parser waits for."""

    START = enum.auto()  # nothing received
    HEAD = enum.auto()
    LENGTH = enum.auto()
    CHUNK_SIZE = enum.auto()
    CHUNK_DATA = enum.auto()
    CHUNK_END = enum.auto()
    TRAILERS = enum.auto()
    UNTIL_CLOSE = enum.auto()
    DONE = enum.auto()

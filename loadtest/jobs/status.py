"""The states of a job and of its steps, and every way from one to another, as one table.

    PENDING ------> IN_PROGRESS ------> COMPLETED | FAILED
       |                 |
       +--> STOPPING <---+
               |
               +------> STOPPED

DELETING and DELETED are in the API's enumeration although no operation deletes a job: nothing leads there.
Source: API_DescribeInferenceRecommendationsJob; developer guide, "Stop an Inference Recommender job".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = ["ACTIVE", "SOURCES", "TRANSITIONS", "Status"]


class Status(enum.StrEnum):
    """RecommendationJobStatus, as the API writes it."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    DELETING = "DELETING"
    DELETED = "DELETED"

    @property
    def final(self) -> bool:
        """Nothing follows."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.STOPPING}),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPING}),
    Status.STOPPING: frozenset({Status.STOPPED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.STOPPED: frozenset(),
    Status.DELETING: frozenset(),
    Status.DELETED: frozenset(),
}

SOURCES: Mapping[Status, frozenset[Status]] = {
    status: frozenset(source for source, targets in TRANSITIONS.items() if status in targets) for status in Status
}
"""From where a status can be reached: the table read backwards."""

ACTIVE: frozenset[Status] = frozenset({Status.PENDING, Status.IN_PROGRESS, Status.STOPPING})
"""What counts against the quota of concurrent jobs."""

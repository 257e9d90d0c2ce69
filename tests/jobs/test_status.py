from __future__ import annotations

import pytest

from loadtest.jobs.status import ACTIVE, SOURCES, TRANSITIONS, Status

ALLOWED = {
    ("PENDING", "IN_PROGRESS"),
    ("PENDING", "STOPPING"),
    ("IN_PROGRESS", "COMPLETED"),
    ("IN_PROGRESS", "FAILED"),
    ("IN_PROGRESS", "STOPPING"),
    ("STOPPING", "STOPPED"),
}


def test_the_table_has_exactly_the_documented_ways() -> None:
    assert {(a.value, b.value) for a, targets in TRANSITIONS.items() for b in targets} == ALLOWED
    assert {(a.value, b.value) for b, sources in SOURCES.items() for a in sources} == ALLOWED


def test_every_status_has_a_row() -> None:
    assert set(TRANSITIONS) == set(SOURCES) == set(Status)


@pytest.mark.parametrize("status", list(Status))
def test_what_is_final_counts_as_inactive(status: Status) -> None:
    assert (status in ACTIVE) == (not status.final)


def test_the_enumeration_is_the_api_s() -> None:
    botocore = pytest.importorskip("botocore.session")
    shape = botocore.get_session().get_service_model("sagemaker").shape_for("RecommendationJobStatus")
    assert [status.value for status in Status] == shape.enum

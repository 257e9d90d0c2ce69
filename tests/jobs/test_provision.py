"""Endpoints from elsewhere: provided for each test, asked at its end, taken away whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from jobkit import NOWHERE, HandEngine, Heard, awaited, described, ended, job_request

from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import TargetError
from loadtest.jobs.provision import OpenEndpoint, Wanted
from loadtest.jobs.service import open_service

TYPES = ("ml.c5.large", "ml.c5.xlarge", "ml.m5.xlarge")


class Shelf:
    """Provides what it is told to. refuse, keep: instance types that are not provided, or not taken away."""

    def __init__(self, refuse: str = "", keep: str = "") -> None:
        self.refuse, self.keep = refuse, keep
        self.there: set[str] = set()
        self.wanted: list[Wanted] = []
        self.wait = False

    @contextmanager
    def provide(self, wanted: Wanted, /) -> Iterator[OpenEndpoint]:
        self.wanted.append(wanted)
        (variant,) = wanted.subject.variants
        wanted.say(f"creating on {variant.instance_type}")
        if self.wait:
            woken = threading.Event()
            with wanted.signal.heard_by(woken.set, woken.set):
                woken.wait(60)
            raise TargetError("given up: the job is to end")
        if variant.instance_type == self.refuse:
            raise TargetError("ResourceLimitExceeded when calling the CreateEndpoint operation: quota 0")
        self.there.add(wanted.subject.endpoint_name)
        told = lambda result: replace(result, info={**result.info, "told": "after"})  # noqa: E731
        try:
            yield OpenEndpoint(wanted.subject, TargetRef(NOWHERE), info={"found": {"as": "it was"}}, completed=told)
        finally:
            self.there.discard(wanted.subject.endpoint_name)
        if variant.instance_type == self.keep:
            raise TargetError("DeleteEndpoint: AccessDenied")


@pytest.fixture
def served():
    services = []

    def serve(shelf: Shelf, engine: HandEngine, heard: Heard | None = None):
        services.append(open_service(engine=engine, profile="relaxed", provider=shelf, events=heard))
        return services[-1]

    yield serve
    for service in services:
        service.close()


def test_each_test_has_an_endpoint_of_its_own_which_is_asked_at_the_end_and_taken_away(served):
    shelf, heard = Shelf(refuse=TYPES[1], keep=TYPES[2]), Heard()
    service = served(shelf, HandEngine(released=True), heard)
    service.create_inference_recommendations_job(job_request("j", TYPES))
    assert ended(service, "j")["Status"] == "COMPLETED"
    assert not shelf.there
    assert [each.test.configuration.instance_type for each in shelf.wanted] == [*TYPES]
    assert {each.spec.name for each in shelf.wanted} == {"j"}
    steps = service.list_inference_recommendations_job_steps({"JobName": "j"})["Steps"]
    assert [step["Status"] for step in steps] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "quota 0" in steps[1]["InferenceBenchmark"]["FailureReason"]
    # What was measured is kept, and it is said that the endpoint is still there.
    assert steps[2]["InferenceBenchmark"]["Metrics"]["MaxInvocations"]
    assert "after the test: DeleteEndpoint: AccessDenied" in steps[2]["InferenceBenchmark"]["FailureReason"]
    result = service.run_result("j", 0)
    assert result is not None
    assert (result.info["found"], result.info["told"]) == ({"as": "it was"}, "after")
    assert [line for _, line, _ in heard.lines if line == "creating on ml.c5.large"]


def test_who_waits_for_an_endpoint_gives_up_when_the_job_is_stopped(served):
    shelf = Shelf()
    shelf.wait = True
    service = served(shelf, HandEngine())
    service.create_inference_recommendations_job(job_request("j", TYPES[:1]))
    awaited(lambda: shelf.wanted, bool)
    assert described(service, "j")["Status"] == "IN_PROGRESS"
    service.stop_inference_recommendations_job({"JobName": "j"})
    assert ended(service, "j")["Status"] == "STOPPED"
    (step,) = service.list_inference_recommendations_job_steps({"JobName": "j"})["Steps"]
    assert step["Status"] == "STOPPED"
    assert "given up" in step["InferenceBenchmark"]["FailureReason"]

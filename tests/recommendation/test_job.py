"""The whole job without a server, in virtual time: every real request, and the emulator's own answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from places import JOBS
from requests_made import stairs_request

from loadtest import recommend
from loadtest.errors import SpecError, TargetError
from loadtest.jobs.provision import OpenEndpoint, Provider, Wanted
from loadtest.jobs.service import open_service
from loadtest.jobs.status import Status
from loadtest.recommendation.endpoints import NamedTargets

REQUESTS = sorted(JOBS.glob("*-default-*.json")) + sorted(JOBS.glob("*-advanced-*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_every_real_request_in_virtual_time(path: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    names = [each["EndpointName"] for each in json.loads(path.read_text())["InputConfig"].get("Endpoints", ())]
    fleet.write_text(json.dumps({"endpoints": {name: {"instance_type": "ml.c5.xlarge"} for name in names}}))
    found = recommend(path, mock=True, engine="sim", profile="aws", fleet=fleet, output_dir=tmp_path / "out")
    assert found.status is Status.COMPLETED, found.described
    assert found.described.get("InferenceRecommendations") or found.described.get("EndpointPerformances")
    assert not found.missing
    assert len(list((tmp_path / "out" / "tests").iterdir())) == len(found.results) == len(found.steps)
    assert json.loads((tmp_path / "out" / "describe.json").read_text()) == found.described


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    return [_shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def test_described_as_the_emulator_answers(tmp_path: Path) -> None:
    request = json.loads(next(JOBS.glob("06-*.json")).read_text())
    ours = recommend(request, mock=True, engine="sim", profile="aws", output_dir=tmp_path / "out")
    service = open_service(engine="sim")
    try:
        service.create_inference_recommendations_job(request)
        while not Status(
            (theirs := service.describe_inference_recommendations_job({"JobName": request["JobName"]}))["Status"]
        ).final:
            pass
    finally:
        service.close()
    written = json.loads((tmp_path / "out" / "describe.json").read_text())
    # Times and drawn names apart, all is the same, member for member and in the same order.
    assert json.dumps(_shape(written)) == json.dumps(_shape(json.loads(json.dumps(theirs))))
    figures = [[each["Metrics"] for each in job["InferenceRecommendations"]] for job in (ours.described, theirs)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "--fleet FILE"),
        ({"engine": "sim", "fleet": "x"}, "virtual time has no real endpoints"),
    ],
)
def test_where_endpoints_come_from_must_be_said(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        recommend(next(JOBS.glob("06-*.json")), **choices)


def test_who_provides_the_targets_of_a_fleet_file_can_be_wrapped(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("instances: {ml.c5.xlarge: {target: 'sagemaker:e'}}\n")
    given: list[Provider] = []

    class Refusing:
        def provide(self, wanted: Wanted, /) -> OpenEndpoint:
            raise TargetError("it was asked")

    def wrap(provider: Provider) -> Provider:
        given.append(provider)
        return Refusing()

    stairs = stairs_request("wrapped", users=1, steps=1, seconds=60)
    found = recommend(stairs, fleet=fleet, wrap=wrap)
    assert isinstance(given[0], NamedTargets)
    assert found.steps[0]["InferenceBenchmark"]["FailureReason"] == "it was asked"

"""What a fleet file may choose for `loadtest recommend`: targets, not whose keys sign nor where signed requests go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import Problem, SpecError
from loadtest.jobs.fleet import Fleet
from loadtest.recommendation.endpoints import FileChoice

KEYS = "whose credentials sign the requests is not a fleet file's to choose"
PLACE = "where requests go that are signed with your credentials is not a fleet file's to choose"


def _problems(folder: Path, choice: FileChoice, target: str = "sagemaker:e", **options: Any) -> list[str]:
    file = folder / "fleet.json"
    file.write_text(
        json.dumps(
            {
                "instances": {"ml.c5.large": {"target": target, "options": options}},
                "endpoints": {
                    "mine": {"target": target, "options": options},
                    "model": {"instance_type": "ml.c5.large"},
                },
            }
        )
    )
    found: Sequence[Problem] = ()
    try:
        choice.check(Fleet.load(file, live=True), str(file))
    except SpecError as refusal:
        found = refusal.problems
    assert [each.path.partition(": ")[2].partition(".")[0] for each in found] in ([], ["instances", "endpoints"])
    return [found[0].rule, found[0].advice] if found else []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"region": "eu-west-1"}, []),
        ({"profile": "prod"}, [KEYS, "give --allow-profile prod"]),
        ({"endpoint_url": "https://elsewhere.example"}, [PLACE, "give --allow-endpoint-url URL"]),
        ({"endpoint_url": "http://127.0.0.1:4599"}, []),
        (
            {"ca_file": "/etc/ssl/cert.pem"},
            ["lies outside the fleet file's folder", "give --payload-root, or --ca-file for all"],
        ),
    ],
)
def test_what_is_the_callers_to_say(options: dict[str, Any], told: list[str], tmp_path: Path) -> None:
    assert _problems(tmp_path, FileChoice(), **options) == told
    allowed = FileChoice(profiles=["prod"], endpoint_urls=["https://elsewhere.example"], root="/")
    assert _problems(tmp_path, allowed, **options) == []


def test_an_allowance_is_of_what_it_names(tmp_path: Path) -> None:
    choice = FileChoice(profiles=["dev"], endpoint_urls=["https://elsewhere"]).besides({"region": "r"}, str(tmp_path))
    assert _problems(tmp_path, choice, profile="prod")[0] == KEYS
    assert _problems(tmp_path, choice, endpoint_url="https://elsewhere.example")[0] == PLACE
    assert _problems(tmp_path, choice, ca_file=str(tmp_path / "ca.pem")) == []


def test_plugins_are_code(tmp_path: Path) -> None:
    assert _problems(tmp_path, FileChoice(), "plugin_targets:Slow")[1] == "give --allow-plugin plugin_targets:Slow"
    assert _problems(tmp_path, FileChoice(["plugin_targets"]), "plugin_targets:Slow") == []


def test_what_the_caller_gives_for_all_is_allowed_of_each(tmp_path: Path) -> None:
    choice = FileChoice(profiles=["dev"]).besides({"profile": "prod", "endpoint_url": "https://elsewhere.example"}, "")
    assert _problems(tmp_path, choice, profile="prod", endpoint_url="https://elsewhere.example") == []
    assert _problems(tmp_path, choice, profile="dev") == []

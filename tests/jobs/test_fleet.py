"""Which endpoint a test gets: a model, a stand-in, or one that exists."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from loadtest.core.request.spec import Serverless
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import TargetError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.subject import Subject, Variant

FLEET = Fleet.load(live=False)
XGBOOST = ModelFacts(framework="xgboost")
VISION = ModelFacts(domain="COMPUTER_VISION")


# Fleet files


# Opening endpoints


def on(name: str, instance_type: str = "ml.c5.xlarge", **environment: str) -> Subject:
    return Subject(name, (Variant(name, instance_type=instance_type, environment=environment),), asked=environment)


def there(name: str, *variants: Variant) -> Subject:
    return Subject(name, variants, existing=True)


class Directory:
    """Endpoints that exist; those of `served` are answered somewhere."""

    def __init__(self, *subjects: Subject, served: tuple[str, ...] = ()) -> None:
        self._subjects = {each.endpoint_name: each for each in subjects}
        self._served = served

    def subject(self, name: str, /) -> Subject | None:
        return self._subjects.get(name)

    def url(self, name: str, /) -> str | None:
        return "http://127.0.0.1:9" if name in self._served else None


def existing(fleet: Fleet, name: str) -> Subject:
    found = fleet.existing(name)
    assert found is not None
    return found


def test_virtual_endpoints_are_references_with_the_model_s_settings() -> None:
    with FLEET.open(on("sm-epc-1", OMP_NUM_THREADS="2")) as endpoint:
        settings = MockSettings.parse(endpoint.target.ref)
    assert (settings.servers, settings.name, settings.law) == (2, "sm-epc-1", "lognormal")
    other_name = MockSettings.parse(FLEET.open(on("sm-epc-2")).target.ref)
    again = MockSettings.parse(FLEET.open(on("sm-epc-3")).target.ref)
    assert other_name.seed == again.seed != settings.seed
    assert FLEET.url("sm-epc-1") is None


def test_stand_ins(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    stand_ins = {
        "instances": {"ml.c5.xlarge": {"target": "http://127.0.0.1:9/invocations"}},
        "endpoints": {
            "real": {"target": "sagemaker:real", "options": {"region": "eu-central-1"}},
            "twins": {"instance_type": "ml.c5.large", "instance_count": 2},
        },
    }
    path.write_text(json.dumps(stand_ins))
    live = Fleet.load(path, live=True)
    x = live.open(on("x", OMP_NUM_THREADS="2"))
    assert (x.target.ref, x.stand_in) == ("http://127.0.0.1:9/invocations", True)
    real = live.open(existing(live, "real"))
    assert real.target == TargetRef("sagemaker:real", {"region": "eu-central-1"})
    assert real.behaviour is None
    virtual = Fleet.load(path, live=False)
    with pytest.raises(TargetError, match="only be tested in real time"):
        virtual.open(on("x"))
    twins = virtual.open(existing(virtual, "twins"))
    assert MockSettings.parse(twins.target.ref).servers == 4
    assert (twins.instances, twins.stand_in) == (2, False)


def test_the_fleet_file_goes_before_what_the_directory_knows(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps({"endpoints": {"two": {"instance_type": "ml.c5.large", "instance_count": 2}}}))
    variants = (
        Variant("a", VISION, serverless=Serverless(2048, 3), weight=3.0),
        Variant("b", instance_type="ml.c5.xlarge"),
    )
    fleet = Fleet.load(path, live=False, directory=Directory(there("two", *variants)))
    found = existing(fleet, "two")
    assert [(v.name, v.instance_type, v.serverless, v.instance_count) for v in found.variants] == [
        ("a", "ml.c5.large", None, 2),
        ("b", "ml.c5.large", None, 2),
    ]
    assert found.variants[0].facts == VISION
    assert fleet.existing("one") is None


def test_existing_endpoints_are_looked_up() -> None:
    big = {"instance_type": "ml.c5.2xlarge"}
    directory = Directory(
        there("served", Variant("v", **big)), there("kept", Variant("v", **big, instance_count=3)), served=("served",)
    )
    live = Fleet.load(live=True, directory=directory)
    assert live.open(existing(live, "served")).target.ref == "http://127.0.0.1:9/endpoints/served/invocations"
    virtual = Fleet.load(live=False, directory=directory)
    kept = [MockSettings.parse(virtual.open(existing(virtual, name)).target.ref) for name in ("served", "kept")]
    assert [each.servers for each in kept] == [8, 24]
    assert virtual.existing("unknown") is None


def test_all_of_an_endpoint_s_variants_take_part_in_virtual_time() -> None:
    variants = [
        Variant("a", XGBOOST, "ml.c5.xlarge", environment={"OMP_NUM_THREADS": "4"}, weight=1.0),
        Variant("b", XGBOOST, serverless=Serverless(2048, 3), weight=3.0),
    ]
    fleet = Fleet.load(live=False, directory=Directory(there("two", *variants)))
    opened = fleet.open(existing(fleet, "two"))
    shares = [(weight, MockSettings.parse(ref)) for weight, ref in opened.target.options["variants"]]
    assert [(weight, each.variant, each.servers, each.cold_start_ms > 0) for weight, each in shares] == [
        (1.0, "a", 1, False),
        (3.0, "b", 3, True),
    ]
    assert opened.behaviour is None, "there is no one use of a processor"


def test_a_live_endpoint_can_be_invoked_by_everyone_while_it_is_open() -> None:
    fleet = Fleet.load(live=True)
    with fleet.open(on("sm-epc-live")) as endpoint:
        url = fleet.url("sm-epc-live")
        assert url is not None
        assert endpoint.target.ref == f"{url}/endpoints/sm-epc-live/invocations"
        with urlopen(Request(endpoint.target.ref, data=b"{}"), timeout=30) as answer:
            assert answer.status == 200
            assert answer.read()
    assert fleet.url("sm-epc-live") is None
    fleet.open(on("sm-epc-left"))
    assert fleet.url("sm-epc-left") is not None
    fleet.close()
    assert fleet.url("sm-epc-left") is None


# Prices

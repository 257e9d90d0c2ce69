from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from loadtest.core.request.spec import Serverless
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import SpecError, TargetError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.fleet_file import FleetFile
from loadtest.jobs.fleet_model import Behaviour, DoesNotFit
from loadtest.jobs.instances import Catalogue, Instance
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.prices import Prices
from loadtest.jobs.subject import Subject, Variant

FLEET = Fleet.load(live=False)
UNKNOWN = ModelFacts()
XGBOOST = ModelFacts(framework="xgboost")
VISION = ModelFacts(domain="COMPUTER_VISION")


def capacity_per_min(behaviour: Behaviour) -> float:
    return behaviour.servers / behaviour.service_ms * 60_000


def bigger() -> list[tuple[Instance, Instance]]:
    """(smaller, bigger) of one family: more vCPUs or accelerators, and less of neither."""
    known = sorted(Catalogue.built_in().known.values(), key=lambda one: one.name)
    return [
        (small, big)
        for small in known
        for big in known
        if small.family == big.family
        and small != big
        and small.vcpu <= big.vcpu
        and small.accelerator_count <= big.accelerator_count
    ]


@pytest.mark.parametrize("facts", [UNKNOWN, XGBOOST, VISION], ids=["unknown", "xgboost", "vision"])
def test_a_bigger_instance_serves_no_less_and_costs_more(facts: ModelFacts) -> None:
    pairs = bigger()
    assert len(pairs) > 200
    more = 0
    for small, big in pairs:
        low, high = (capacity_per_min(FLEET.behaviour(facts, one.name)) for one in (small, big))
        assert low <= high, f"{small.name} serves more than {big.name}"
        more += low < high
        prices = FLEET.prices.per_hour(small.name), FLEET.prices.per_hour(big.name)
        assert prices[0] is not None
        assert prices[1] is not None
        assert prices[0] < prices[1]
    assert more > 0.8 * len(pairs)


def test_threads_trade_throughput_for_latency() -> None:
    found = [FLEET.behaviour(UNKNOWN, "ml.c5.xlarge", None, {"OMP_NUM_THREADS": n}) for n in ("1", "2", "4", "10")]
    latencies = [behaviour.service_ms for behaviour in found]
    assert latencies[0] > latencies[1] > latencies[2]
    assert latencies[3] > latencies[2], "more threads than cores are no help"
    rates = [capacity_per_min(behaviour) for behaviour in found]
    assert rates == sorted(rates, reverse=True)
    assert [behaviour.servers for behaviour in found] == [4, 2, 1, 1]


@pytest.mark.parametrize("value", ["", "no", "0", "-1", "1.5", "٣"])
def test_a_senseless_thread_count_counts_as_unset(value: str) -> None:
    unset = FLEET.behaviour(UNKNOWN, "ml.c5.xlarge")
    assert FLEET.behaviour(UNKNOWN, "ml.c5.xlarge", None, {"OMP_NUM_THREADS": value}) == unset


def test_workers_limit_what_is_served_at_once_and_take_memory() -> None:
    one = FLEET.behaviour(UNKNOWN, "ml.c5.xlarge", None, {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"})
    four = FLEET.behaviour(UNKNOWN, "ml.c5.xlarge")
    assert (one.servers, four.servers) == (1, 4)
    assert four.memory_percent - one.memory_percent == pytest.approx(100 * 3 * 512 / 8192)
    with pytest.raises(DoesNotFit, match=r"ml\.c5\.large has 4096 MB"):
        FLEET.behaviour(UNKNOWN, "ml.c5.large", None, {"TS_DEFAULT_WORKERS_PER_MODEL": "16"})


def test_accelerators_take_the_work_only_of_models_that_use_them() -> None:
    assert FLEET.behaviour(VISION, "ml.g4dn.xlarge").service_ms == pytest.approx(1.5 + 9.0)
    assert FLEET.behaviour(VISION, "ml.g4dn.12xlarge").servers == 4 * 2
    assert FLEET.behaviour(XGBOOST, "ml.g4dn.xlarge").servers == 4


def test_serverless_has_no_queue_and_a_cold_start() -> None:
    small = FLEET.behaviour(UNKNOWN, None, Serverless(1024, 5))
    big = FLEET.behaviour(UNKNOWN, None, Serverless(4096, 5))
    assert (small.servers, small.queue) == (5, 0)
    assert small.service_ms > big.service_ms
    assert small.setup_time_us == 3_000_000
    assert small.cpu_percent(1000) is None
    assert FLEET.behaviour(UNKNOWN, "ml.c5.large").setup_time_us is None
    with pytest.raises(DoesNotFit, match="1024 MB"):
        FLEET.behaviour(VISION, None, Serverless(1024, 5))


def test_utilisation_follows_the_rate() -> None:
    behaviour = FLEET.behaviour(UNKNOWN, "ml.c5.xlarge")
    assert behaviour.cpu_percent(0) == 0
    assert behaviour.cpu_percent(60) == pytest.approx(2.4)  # one request of 24 ms a second
    assert behaviour.cpu_percent(10**9) == 400  # four cores, as CloudWatch counts them


@pytest.mark.parametrize(
    ("name", "vcpu", "memory_gib"),
    [
        ("ml.c4.large", 2, 4),
        ("ml.m4.xlarge", 4, 16),
        ("ml.r8g.medium", 1, 8),
        ("ml.c7g.16xlarge", 64, 128),
        ("ml.p6-b200.48xlarge", 192, 768),
    ],
)
def test_an_unlisted_type_is_known_by_its_name(name: str, vcpu: int, memory_gib: float) -> None:
    assert FLEET.catalogue.get(name) == Instance(name, vcpu, memory_gib)
    assert FLEET.prices.per_hour(name) is None


@pytest.mark.parametrize("name", ["", "ml.c5", "c5.xlarge", "ml.c5.huge", "ml.c5.xlarge.more"])
def test_other_names_are_no_instance_types(name: str) -> None:
    assert FLEET.catalogue.get(name) is None
    if name:
        with pytest.raises(TargetError):
            FLEET.behaviour(UNKNOWN, name)


def test_every_instance_type_of_the_api_can_be_tested() -> None:
    botocore = pytest.importorskip("botocore.session")
    shape = botocore.get_session().get_service_model("sagemaker").shape_for("ProductionVariantInstanceType")
    assert set(FLEET.catalogue.known) <= set(shape.enum)
    for name in shape.enum:
        assert FLEET.behaviour(UNKNOWN, name).servers >= 1


# Fleet files


def fleet_with(path: Path, values: Any) -> FleetFile:
    path.write_text(json.dumps(values))
    return FleetFile.load(path)


def test_a_fleet_file_is_laid_over_the_built_in_one(tmp_path: Path) -> None:
    file = fleet_with(
        tmp_path / "fleet.json",
        {"model": {"cpu_ms": 100}, "cpu_speed": {"c5": 2}, "search": {"level_s": 5}, "queue": 3},
    )
    built_in = FleetFile.load()
    assert file.work_of(XGBOOST) == file.work_of(UNKNOWN), "whoever describes their model wants it everywhere"
    assert file.work_of(UNKNOWN).cpu_ms == 100
    assert file.work_of(UNKNOWN).front_ms == built_in.model.front_ms
    assert (file.speed_of("c5"), file.speed_of("m5")) == (2, built_in.speed_of("m5"))
    assert (file.search.level_s, file.search.users) == (5, built_in.search.users)
    assert file.queue == 3


def test_yaml_and_a_list_of_models(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("models:\n- when: {framework: PYTORCH}\n  cpu_ms: 7\n")
    file = FleetFile.load(path)
    assert file.work_of(ModelFacts(framework="PYTORCH")).cpu_ms == 7
    assert file.work_of(XGBOOST).cpu_ms == FleetFile.load().model.cpu_ms


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "must be a mapping"),
        ({"modle": {}}, "did you mean model"),
        ({"model": {"cpu_msec": 1}}, "model.cpu_msec"),
        ({"model": {"cpu_ms": -1}}, "model.cpu_ms"),
        ({"model": {"cpu_ms": "fast"}}, "model.cpu_ms"),
        ({"model": {"parallel_share": 2}}, "must be in 0..1"),
        ({"model": 5}, "must be a mapping"),
        ({"models": [{"cpu_ms": 1}]}, "models[0].when"),
        ({"models": [{"when": {"color": "red"}}]}, "models[0].when.color"),
        ({"models": {}}, "must be a list"),
        ({"cpu_speed": {"c5": 0}}, "cpu_speed.c5"),
        ({"accelerators": {"X": {"speed": 0, "streams": 0}}}, "accelerators.X.streams"),
        ({"search": {"users": [4, 2]}}, "must rise"),
        ({"search": {"users": []}}, "search.users"),
        ({"search": {"level_s": 0}}, "search.level_s"),
        ({"instances": {"ml.c5.xlarge": {"url": "x"}}}, "instances.'ml.c5.xlarge'.url"),
        ({"endpoints": {"e": {"instance_count": 0}}}, "endpoints.e.instance_count"),
        ({"endpoints": {"e": {"target": 5}}}, "must be texts"),
        ({"endpoints": {"e": {"target": "what is this"}}}, "endpoints.e.target"),
        ({"endpoints": {"e": {"target": "mock:servers=0"}}}, "servers"),
        ({"endpoints": {"e": {"target": "sagemaker:e", "options": []}}}, "endpoints.e.options"),
        ({"candidates": [{"when": {}, "instances": "ml.c5.xlarge"}]}, "candidates[0].instances"),
        ({"queue": -1}, "queue"),
        ({"queue": float("inf")}, "must be a whole number"),
        ({"model": {"cpu_ms": "Infinity"}}, "must be a number"),
    ],
)
def test_a_wrong_fleet_file_is_refused(tmp_path: Path, values: Any, told: str) -> None:
    with pytest.raises(SpecError) as refused:
        fleet_with(tmp_path / "fleet.json", values)
    assert told in str(refused.value)


@pytest.mark.parametrize("text", ["{", "a: [", None])
def test_an_unreadable_fleet_file_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "fleet.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecError, match="cannot be read"):
        FleetFile.load(path)


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "instance_type,usd_per_hour\nml.c5.xlarge,1.5\nml.c5.large,\nserverless_gb_second,0.1\n"),
        ("p.csv", "instance_type,usd_per_hour_us_east_1,vcpu\nml.c5.xlarge,1.5,4\nserverless_gb_second,0.1,\n"),
        ("p.json", '{"ml.c5.xlarge": 1.5, "serverless_gb_second": 0.1}'),
        ("p.yaml", "ml.c5.xlarge: 1.5\nserverless_gb_second: '0.1'\nml.c5.large:\n"),
    ],
)
def test_price_files_replace_every_built_in_price(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    prices = Prices.load(path)
    assert prices == Prices({"ml.c5.xlarge": 1.5}, 0.1, str(path))
    assert prices.per_hour("ml.m5.xlarge") is None


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.csv", "type,price\na,1\n", "has no such columns"),
        ("p.csv", "", "has no such columns"),
        ("p.csv", "instance_type,usd_per_hour\nml.c5.xlarge,free\nml.c5.large,-1\n", "ml.c5.large"),
        ("p.json", "[1]", "must be a mapping"),
        ("p.json", '{"a": true}', "positive number"),
        ("p.json", '{"a": .inf}', "positive number"),
        ("p.yaml", "{", "neither JSON nor YAML"),
        (".", None, "cannot be read"),
    ],
)
def test_wrong_price_files(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecError, match=told):
        Prices.load(path)


def test_built_in_prices() -> None:
    assert len(FLEET.prices.per_hour_usd) == 114
    assert FLEET.prices.per_hour("ml.c5.xlarge") == 0.204
    assert FLEET.prices.serverless_gb_second_usd == 0.00002

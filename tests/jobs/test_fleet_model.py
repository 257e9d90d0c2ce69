"""What an endpoint of a fleet is: capacity, latency, use and price by instance type, model and environment."""

from __future__ import annotations

import pytest

from loadtest.core.request.instance_types import INSTANCE_TYPES
from loadtest.core.request.spec import Serverless
from loadtest.errors import TargetError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.fleet_model import Behaviour, DoesNotFit
from loadtest.jobs.instances import Catalogue, Instance
from loadtest.jobs.models import ModelFacts

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
    assert set(FLEET.catalogue.known) <= {*shape.enum, *INSTANCE_TYPES}, "an older copy of the model knows fewer"
    for name in shape.enum:
        assert FLEET.behaviour(UNKNOWN, name).servers >= 1


# Fleet files


# Opening endpoints


# Prices

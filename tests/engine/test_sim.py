"""Runs in virtual time: of which targets, what is seen of them, and what a shared endpoint is."""

from __future__ import annotations

import pytest

from loadtest.core.measure.window import Window
from loadtest.core.request.spec import Phase, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.sim import run_virtual, server_of, simulate
from loadtest.errors import SpecError


def plan(traffic: tuple[Phase, ...], ref: str = "mock:servers=4,service_ms=20") -> Plan:
    return Plan(curve_of(traffic), StopConditions(flat_stops=False), TargetRef(ref))


def test_on_window_sees_all_and_may_end_the_run() -> None:
    seen: list[Window] = []
    given = plan((Phase(2, 0, 10),))
    done = run_virtual(given, server_of(given.target), on_window=seen.append)
    assert tuple(seen) == done.windows

    def enough(window: Window) -> None:
        if window.index == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(given, on_window=enough)


@pytest.mark.parametrize("ref", ["sagemaker:my-endpoint", "http://127.0.0.1:8080/invocations", "mock:servers=none"])
def test_only_models_run_in_virtual_time(ref) -> None:
    with pytest.raises(SpecError):
        simulate(plan((Phase(1, 0, 10),), ref))


def test_variants_share_the_requests_by_their_weights() -> None:
    shares = [[3, "service_ms=10,law=fixed"], [1, "service_ms=90,law=fixed"]]
    server = server_of(TargetRef("mock:servers=1", {"variants": shares}))
    slow = sum(server(float(at_s)).done_s - at_s > 0.05 for at_s in range(400))
    assert 60 < slow < 140
    alone = server_of(TargetRef("mock:service_ms=10,law=fixed"))
    assert alone(5.0).done_s == pytest.approx(5.01)


def test_labels_are_kept_in_the_result() -> None:
    result = simulate(plan((Phase(1, 0, 5),)), job="a-job", label="first")
    assert (result.job, result.label) == ("a-job", "first")

"""A local run: what its parent hears, in which order, and how it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import gevent
import pytest
from engine_kit import plan_of
from gevent.event import Event
from held_target import until
from patched import patched

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.engine.generator.session import run_local
from loadtest.errors import LoadtestError


class Told:
    """As much of a `Link` as a session uses; what it says is kept."""

    def __init__(self) -> None:
        self.commands: deque[Mapping[str, Any]] = deque()
        self.arrived = Event()
        self.said: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **members: Any) -> None:
        self.said.append((kind, members))

    def keep_beating(self) -> None:
        while True:
            gevent.sleep(0.05)

    def command(self, kind: str) -> None:
        self.commands.append({"kind": kind})
        self.arrived.set()

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.said]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [members for each, members in self.said if each == kind]


def run(plan: Plan) -> Told:
    told = Told()
    run_local(plan, cast(Any, told))
    return told


SHORT = plan_of((0.0, 2), end_s=0.6, target="plugin_targets:Sleeper", window_s=0.25)


@patched
def test_a_run_is_told_from_ready_to_done() -> None:
    told = run(SHORT)
    kinds = told.kinds()
    assert (kinds[0], kinds[-1]) == ("ready", "done")
    assert told.all("stopping")[0]["reason"] == "CURVE_END"
    windows = [Window.from_dict(each["window"]) for each in told.all("window")]
    assert [window.start_s for window in windows[1:]] == [window.end_s for window in windows[:-1]]
    assert sum(window.ok for window in windows) > 10
    assert sum(len(each["starts"]) for each in told.all("starts")) == 2
    assert sum(len(each["stops"]) for each in told.all("starts")) == 2
    assert told.all("done")[0]["cut"] == 0
    assert {"time"} <= told.all("window")[0]["progress"].keys()


@patched
def test_a_stop_from_the_parent_ends_it_in_order() -> None:
    told = Told()
    running = gevent.spawn(run_local, plan_of((0.0, 2), end_s=600.0, target="plugin_targets:Sleeper"), cast(Any, told))
    until(lambda: "window" in told.kinds())
    told.command("stop")
    running.get(timeout=15)
    assert told.all("stopping")[0]["reason"] == "USER"
    assert told.kinds()[-1] == "done"


@patched
def test_what_does_not_end_is_cut_after_the_drain() -> None:
    told = run(plan_of((0.0, 3), end_s=0.3, target="plugin_targets:Silent", drain_s=0.2))
    assert told.all("done")[0]["cut"] == 3
    assert sum(Window.from_dict(each["window"]).counts.errors.get("cut", 0) for each in told.all("window")) == 3


@patched
def test_a_target_that_cannot_be_opened_is_an_error_before_any_traffic() -> None:
    told = Told()
    with pytest.raises(LoadtestError, match="no such place"):
        run_local(plan_of((0.0, 1), end_s=1.0, target="plugin_targets:Unopenable"), cast(Any, told))
    assert told.said == []

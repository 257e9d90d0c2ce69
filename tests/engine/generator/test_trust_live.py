"""A generator that is out of breath says so; one that is not does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from engine_kit import plan_of

from loadtest.engine.parent.spawn import start

pytestmark = pytest.mark.usefixtures("no_orphans")

HOG = "import time\nend = time.monotonic() + 40\nwhile time.monotonic() < end: pass"


@pytest.fixture
def hogs() -> Iterator[None]:
    """This process, and so its children, have one core, which six others keep busy."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    with ExitStack() as stack:
        for _ in range(6):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", HOG]))
            stack.callback(process.kill)
        yield
    os.sched_setaffinity(0, allowed)


@pytest.mark.live
def test_a_target_that_burns_the_generators_core_limits_it() -> None:
    result = start(plan_of((0.0, 3), end_s=4.0, target="plugin_targets:Burner", window_s=0.5)).result(40)
    assert result.trust.client_limited
    assert not result.trust.valid
    assert all(reason.advice for reason in result.trust.reasons)


@pytest.mark.live
def test_a_core_that_others_keep_busy_limits_it(hogs: None) -> None:
    result = start(plan_of((0.0, 40), end_s=6.0, target="plugin_targets:Worker", window_s=0.5)).result(60)
    assert result.trust.client_limited


@pytest.mark.slow
def test_an_idle_generator_is_never_marked() -> None:
    if os.getloadavg()[0] > 0.7 * len(os.sched_getaffinity(0)):
        pytest.skip("the machine is busy with something else")
    plan = plan_of((0.0, 10), (2.0, 20), end_s=4.0, target="mock:servers=30,service_ms=20", window_s=0.5)
    marked = [result.trust.reasons for _ in range(20) if (result := start(plan).result(40)).trust.client_limited]
    assert not marked

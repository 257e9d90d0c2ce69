from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from jobkit import HandEngine, Heard, ended, job_request

from loadtest.core.judge.verdict import Trust, TrustReason
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.jobs.service import JobService
from loadtest.jobs.signal import StopSignal


def test_a_signal_is_heard_before_during_and_after() -> None:
    signal = StopSignal()
    heard: list[str] = []
    with signal.heard_by(lambda: heard.append("drain"), lambda: heard.append("cut")):
        assert heard == []
        signal.ask()
        assert heard == ["drain"]
        signal.ask(at_once=True)
        assert heard == ["drain", "cut"]
    with signal.heard_by(lambda: heard.append("drain"), lambda: heard.append("late cut")):
        pass
    assert heard == ["drain", "cut", "late cut"]
    signal.ask()
    assert heard == ["drain", "cut", "late cut"]
    assert signal.asked
    assert signal.at_once


def test_a_signal_given_while_others_begin_misses_nobody() -> None:
    signal = StopSignal()
    heard = threading.Semaphore(0)
    ready = threading.Barrier(9)

    def listen() -> None:
        ready.wait()
        told = threading.Event()
        with signal.heard_by(told.set, told.set):
            if told.wait(30):
                heard.release()

    threads = [threading.Thread(target=listen) for _ in range(8)]
    for thread in threads:
        thread.start()
    ready.wait()
    signal.ask()
    for thread in threads:
        thread.join()
    assert all(heard.acquire(blocking=False) for _ in threads)


@pytest.mark.parametrize("limited", [True, False])
def test_a_run_that_the_generator_limited_says_so_in_the_log(
    services: Callable[..., JobService], limited: bool
) -> None:
    class Limited(HandEngine):
        def run(self, plan: Plan, on_window: Callable[[Window], None], signal: StopSignal) -> RunResult:
            doubt = TrustReason("cpu", "the generator used 99 % of a core", "use more workers")
            return replace(super().run(plan, on_window, signal), trust=Trust(True, limited, (doubt,)))

    heard = Heard()
    service = services(engine=Limited(released=True), events=heard)
    service.create_inference_recommendations_job(job_request())
    ended(service, "job-1")
    said = [text for _, text, _ in heard.lines if "the generator used 99 % of a core" in text]
    assert len(said) == limited

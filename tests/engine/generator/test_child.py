"""The entry of a generator process: what it is told first, and what it says when it cannot go on."""

from __future__ import annotations

import pytest
from engine_kit import plan_of

from loadtest.engine.messages import heard_failure
from loadtest.engine.parent.process import GeneratorProcess
from loadtest.errors import EngineError, SpecError, TargetError

pytestmark = pytest.mark.usefixtures("no_orphans")


def said(child: GeneratorProcess) -> list[dict[str, object]]:
    return [dict(message) for message in child.messages() if message is not None]


def test_a_plan_that_cannot_be_run_is_told_as_data_and_the_code_is_0() -> None:
    child = GeneratorProcess()
    child.send("plan", plan=plan_of((0.0, 1), end_s=1.0, target="sagemaker:a b").to_dict())
    (failed,) = said(child)
    problem = heard_failure(failed)
    assert isinstance(problem, SpecError)
    assert problem.problems[0].path == "target"
    assert child.close() == 0


@pytest.mark.live
def test_a_master_that_cannot_be_reached_is_said() -> None:
    child = GeneratorProcess("worker", "127.0.0.1")  # no port
    (failed,) = said(child)
    assert isinstance(heard_failure(failed), EngineError)
    assert "ValueError" in str(heard_failure(failed))
    assert any("Traceback" in line for line in child.log), "what nobody foresaw is in its log"
    assert child.close() == 0


@pytest.mark.live
def test_anything_but_a_plan_first_ends_it() -> None:
    child = GeneratorProcess()
    child.send("stop")
    assert said(child) == []
    assert child.close() == 70


@pytest.mark.live
def test_what_a_plug_in_prints_goes_to_the_log() -> None:
    child = GeneratorProcess()
    child.send("plan", plan=plan_of((0.0, 1), end_s=1.0, target="plugin_targets:Unopenable").to_dict())
    (failed,) = said(child)
    assert isinstance(heard_failure(failed), TargetError)
    assert child.close() == 0

"""A generator process as its parent holds it: spoken to, heard out, ended, reaped."""

from __future__ import annotations

import os
import sys

import pytest
from engine_kit import gone, plan_of

from loadtest.engine.parent.process import GeneratorProcess
from loadtest.errors import EngineError

pytestmark = pytest.mark.usefixtures("no_orphans")
WRONG = plan_of((0.0, 1), end_s=1.0, target="sagemaker:a b").to_dict()


def test_it_is_heard_to_its_end_and_speaking_to_it_afterwards_is_no_error() -> None:
    child = GeneratorProcess()
    child.send("plan", plan=WRONG)
    heard = list(child.messages())
    assert [message["kind"] for message in heard if message is not None] == ["failed"]
    assert heard[-1] is None, "time can be watched while it says nothing"
    child.send("stop")
    assert child.close() == 0
    child.kill()  # it was reaped: its number may be somebody else's by now


def test_killed_it_takes_its_group_along_and_the_code_says_so() -> None:
    child = GeneratorProcess()
    assert os.getpgid(child.pid) == child.pid, "Ctrl-C at the terminal reaches the parent alone"
    assert child.silent_s >= 0
    child.kill()
    assert child.close() == -9
    assert gone({child.pid}, 10)


def test_what_is_no_message_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; print('garbage', flush=True); print('a word', file=sys.stderr, flush=True)"
    command = "loadtest.engine.parent.process.python_command"
    monkeypatch.setattr(command, lambda module, *arguments: [sys.executable, "-c", script])
    child = GeneratorProcess()
    with pytest.raises(EngineError, match="not a message: b'garbage'"):
        list(child.messages())
    child.close()


def test_lines_of_its_log_are_whole_however_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import os, time\n"
        "for piece in ('one', ': ', 'a', '\\n', 'two\\nthr', 'ee\\n\\n', 'last'):\n"
        "    os.write(2, piece.encode()); time.sleep(0.02)"
    )
    command = "loadtest.engine.parent.process.python_command"
    monkeypatch.setattr(command, lambda module, *arguments: [sys.executable, "-c", script])
    child = GeneratorProcess()
    list(child.messages())
    assert list(child.log) == ["one: a", "two", "three", "", "last"]
    child.close()


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    command = "loadtest.engine.parent.process.python_command"
    monkeypatch.setattr(command, lambda module, *arguments: ["/nowhere/python"])
    with pytest.raises(EngineError, match="the generator process cannot be started: "):
        GeneratorProcess()

"""No process outlives whom it works for, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from engine_kit import descendants, gone, plan_of
from places import KIT

from loadtest.engine.messages import CHILD_KINDS, MessageLines, encode

PARENT = """
import sys
sys.path.insert(0, {here!r})
from engine_kit import plan_of
from loadtest.engine.parent.spawn import start
run = start(plan_of((0.0, 3), end_s=120.0, target={target!r}), on_window=lambda *_: print("window", flush=True))
run.result()
"""


def _parent(target: str) -> subprocess.Popen[str]:
    code = PARENT.format(here=str(KIT), target=target)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "window\n"
    return parent


@pytest.mark.parametrize(
    ("how", "target"), [(signal.SIGKILL, "mock:servers=2,service_ms=5"), (signal.SIGTERM, "plugin_targets:Silent")]
)
@pytest.mark.live
def test_a_dead_parent_takes_everything_with_it(how: signal.Signals, target: str) -> None:
    with _parent(target) as parent:
        below = descendants(parent.pid)
        assert len(below) == (2 if target.startswith("mock") else 1)
        parent.send_signal(how)
        parent.wait(10)
        assert gone(below, 10)


@pytest.mark.live
def test_a_dead_parent_ends_a_generator_whose_loop_is_blocked() -> None:
    code = PARENT.format(here=str(KIT), target="plugin_targets:Blocker")
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        limit_s = time.monotonic() + 20
        while not descendants(parent.pid) and time.monotonic() < limit_s:
            time.sleep(0.05)
        time.sleep(2)  # until it blocks
        below = descendants(parent.pid)
        assert below
        parent.kill()
        parent.wait(10)
        assert gone(below, 15)


def _child() -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(KIT), *filter(None, sys.path)])}
    return subprocess.Popen(
        [sys.executable, "-m", "loadtest.engine.generator.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
    )


def test_end_of_file_on_stdin_ends_the_generator() -> None:
    with _child() as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(encode("plan", plan=plan_of((0.0, 2), end_s=120.0).to_dict()))
        child.stdin.flush()
        lines = MessageLines(CHILD_KINDS)
        assert next(iter(lines.feed(child.stdout.readline())))["kind"] == "ready"
        child.stdin.close()
        assert child.wait(10) == 70


def test_end_of_file_before_the_plan_ends_it_too() -> None:
    with _child() as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(90) == 70

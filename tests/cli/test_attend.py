"""Signals of a run that is waited for, by real ones to this process."""

from __future__ import annotations

import os
import signal
import time

import pytest

from loadtest.cli.attend import attended


class Ends:
    """A run that ends at once when it is asked to."""

    def __init__(self) -> None:
        self.stopped = self.killed = False

    def stop(self) -> None:
        self.stopped = True

    def kill(self) -> None:
        self.killed = True

    def result(self, timeout_s: float | None = None) -> str:
        if self.stopped:
            return "found"
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        raise TimeoutError


class Over(Ends):
    def result(self, timeout_s: float | None = None) -> str:
        return "found"


def hit(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_second_of_two_that_finds_the_run_over_loses_nothing(number: signal.Signals) -> None:
    said: list[str] = []
    run = Ends()
    assert attended(run, said.append) == "found"
    hit(number)  # while the page is being written
    assert run.stopped
    assert not run.killed
    assert [text.partition(":")[0] for text in said] == ["stopping", "it has ended"]
    with pytest.raises(KeyboardInterrupt):
        hit(signal.SIGINT)


def test_two_runs_in_a_row_each_have_their_own() -> None:
    said: list[str] = []
    for _ in range(2):
        assert attended(Ends(), said.append) == "found"
    hit(signal.SIGINT)
    hit(signal.SIGINT)  # those of the first
    assert len(said) == 4
    with pytest.raises(KeyboardInterrupt):
        hit(signal.SIGINT)


def test_a_run_that_ended_by_itself_leaves_the_signals_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert attended(Over(), print) == "found"
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        hit(signal.SIGINT)

"""The two ways to run a load test, behind one protocol: real traffic from a child process, or virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult, build_result
from loadtest.core.traffic.plan import Plan
from loadtest.engine.parent.spawn import start
from loadtest.engine.sim import simulate
from loadtest.jobs.signal import StopSignal

__all__ = ["LiveEngine", "LoadEngine", "SimEngine"]

OnWindow = Callable[[Window], None]


class LoadEngine(Protocol):
    """Runs one plan to its end, or until the signal is given; windows are told in order.

    virtual: its seconds are not the wall clock's.
    Raises SpecError, TargetError or EngineError if the plan cannot be run.
    """

    virtual: bool

    def run(self, plan: Plan, on_window: OnWindow, signal: StopSignal) -> RunResult: ...


class LiveEngine:
    """Real traffic."""

    virtual: bool = False

    def run(self, plan: Plan, on_window: OnWindow, signal: StopSignal) -> RunResult:
        """Blocks until the traffic is over and drained."""
        run = start(plan, on_window=lambda window, _progress: on_window(window))
        with signal.heard_by(run.stop, run.kill):
            return run.result()


class _Stopped(Exception):
    """Ends a simulation from within."""


class SimEngine:
    """Virtual time: as fast as it can be computed."""

    virtual: bool = True

    def run(self, plan: Plan, on_window: OnWindow, signal: StopSignal) -> RunResult:
        """Looks at the signal after every simulated window."""
        windows: list[Window] = []

        def heed(window: Window) -> None:
            windows.append(window)
            on_window(window)
            if signal.asked:
                raise _Stopped

        try:
            return simulate(plan, on_window=heed)
        except _Stopped:
            end_s = windows[-1].end_s
            return build_result(plan, windows, Stop(Reason.USER), stopped_at_s=end_s)

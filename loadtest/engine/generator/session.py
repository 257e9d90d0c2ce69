"""A local run: one generator, one controller, and the line to the parent. Runs in a patched process."""

from __future__ import annotations

import os
import time

import gevent

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.traffic.plan import Plan
from loadtest.engine.generator.generator import Generator
from loadtest.engine.generator.link import Link
from loadtest.targets.open import open_target

__all__ = ["LEAD_S", "run_local"]

LEAD_S = 0.1  # between "ready" and the first user, so that the start itself is on time


def run_local(plan: Plan, link: Link) -> None:
    """Run the plan and tell the parent everything. Raises SpecError or TargetError before any traffic."""
    target = open_target(plan.target, peak_users=plan.peak)
    generator = Generator(plan, plan.curve, target)
    try:
        _Session(plan, generator, link).run()
    finally:
        generator.close()


class _Session:
    def __init__(self, plan: Plan, generator: Generator, link: Link) -> None:
        self._plan = plan
        self._generator = generator
        self._link = link
        self._controller = Controller(plan)
        self._index = 0
        self._stop: Stop | None = None
        self._drain_until_s = 0.0
        self._cut = 0

    def run(self) -> None:
        beat = gevent.spawn(self._link.keep_beating)
        # Both clocks at once: `begin` takes a while.
        start_s, started_at = time.monotonic() + LEAD_S, time.time() + LEAD_S
        self._generator.begin(start_s)
        self._link.send("ready", started_at=started_at, facts=self._generator.facts)
        try:
            while not self._over():
                self._wait()
                self._obey()
                now_s = self._generator.now_s()
                if now_s >= self._window_end_s():
                    self._close_window(self._window_end_s())
                if self._stop is None:
                    self._decide(max(self._generator.now_s(), 0.0))
                elif now_s >= self._drain_until_s:
                    self._cut += self._generator.cut()
            self._close_window(self._generator.now_s())
            self._link.send("done", cut=self._cut, ended_s=self._generator.now_s())
        finally:
            beat.kill()

    def _window_end_s(self) -> float:
        return (self._index + 1) * self._plan.options.window_s

    def _over(self) -> bool:
        return self._stop is not None and not self._generator.running

    def _wait(self) -> None:
        """Until the window's end, the traffic's end, the drain's end or a command; while draining, look often."""
        wake_s = self._window_end_s()
        if self._stop is None:
            wake_s = min(wake_s, self._plan.end_s)
        else:
            wake_s = min(wake_s, self._drain_until_s, self._generator.now_s() + 0.01)
        self._link.arrived.wait(max(0.0, wake_s - self._generator.now_s()))
        self._link.arrived.clear()
        gevent.sleep(0)  # users that are due at the same instant start first: closing a window takes milliseconds

    def _obey(self) -> None:
        while self._link.commands:
            command = self._link.commands.popleft()
            if command["kind"] == "stop":
                self._controller.request_stop(Reason.USER, {})
            elif command["kind"] == "orphaned":
                # Nobody is left to read a result: end now rather than keep an endpoint busy.
                os._exit(70)

    def _close_window(self, planned_end_s: float) -> None:
        window, audit = self._generator.take(self._index, planned_end_s)
        # A window that the loop was too late for covers the grid's next ones too.
        self._index = max(self._index + 1, int(window.end_s / self._plan.options.window_s))
        self._controller.observe(window)
        if self._controller.plan is not self._plan:
            self._plan = self._controller.plan
            self._generator.move(self._plan, self._plan.curve)
        self._link.send("starts", **audit)
        self._link.send("window", window=window.to_dict(), progress=dict(self._controller.progress()))

    def _decide(self, now_s: float) -> None:
        decision = self._controller.tick(now_s)
        if isinstance(decision, Stop):
            self._stop = decision
            self._drain_until_s = now_s + self._plan.options.drain_s
            self._generator.release()
            self._link.send(
                "stopping", reason=decision.reason.value, evidence=dict(decision.evidence), at_s=round(now_s, 6)
            )

"""One process' share of a run: its users, its recorder and its probe, cut into windows. Runs in a patched process."""

from __future__ import annotations

import gc
import time
from typing import Any

import gevent

from loadtest.core.measure.counts import SLICES
from loadtest.core.measure.health import Health
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.record import Frame, recorder_of
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.traffic.arrivals import Sends
from loadtest.core.traffic.curve import TrafficCurve
from loadtest.core.traffic.plan import Plan
from loadtest.engine.cluster.runners import local_runner
from loadtest.engine.generator.arrival_swarm import ArrivalSwarm
from loadtest.engine.generator.probe import Probe
from loadtest.engine.generator.swarm import Swarm
from loadtest.engine.parent.descriptors import allow_connections
from loadtest.payload.payload import load_payloads
from loadtest.targets.base import KnownTarget, Target

__all__ = ["Generator"]

ON_TIME = 0.1  # a window later than this share of its length belongs to no level: it mixes two


class Generator:
    """Runs a curve against a target and measures it.

    target: opened by the caller, closed by `close`. runner: a Locust runner; None makes a local one.
    numbers: offset and stride of this process's user numbers. Times are s since run start, which is
    `start_s` of this host's monotonic clock.
    Raises SpecError if the payload cannot be read.
    """

    def __init__(
        self, plan: Plan, curve: TrafficCurve, target: Target, runner: Any = None, numbers: tuple[int, int] = (0, 1)
    ) -> None:
        self._plan = plan
        self._curve = curve
        self._levels = plan_levels(plan)
        self._target = target
        payloads = load_payloads(plan.payload)
        self._recorder = recorder_of(plan)
        self._spawner: gevent.Greenlet | None = None
        self._probe = Probe(self._mark)
        allow_connections(plan.peak)  # of a worker too: it may have to take over from others
        seed = plan.options.seed
        self._swarm: Swarm | ArrivalSwarm
        if plan.arrivals is not None:
            self._swarm = ArrivalSwarm(plan.arrivals, target, payloads, self._recorder, seed, numbers)
        else:
            runner = runner or local_runner()
            self._swarm = Swarm(runner, target, payloads, self._recorder, self._probe, seed, numbers)
        self._start_s = 0.0
        self._window_start_s = 0.0
        self._released = False
        self.payload_digest = payloads.digest()
        self.facts = dict(target.facts) if isinstance(target, KnownTarget) else {}

    @property
    def running(self) -> int:
        """Users that still run, those finishing their last request included."""
        return self._swarm.running

    def now_s(self) -> float:
        """Seconds since the run's start."""
        return time.monotonic() - self._start_s

    def begin(self, start_s: float) -> None:
        """Follow the curve from `start_s` of the monotonic clock, which may lie a little ahead."""
        self._start_s = start_s
        # What is loaded by now stays: the collector need not look at it again in the middle of a measurement.
        gc.collect()
        gc.freeze()
        self._probe.take()
        self._spawner = gevent.spawn(self._swarm.follow, self._curve, start_s)

    def replan(self, curve: TrafficCurve) -> None:
        """Follow another curve from now on (the users of a lost worker are taken over)."""
        assert self._spawner is not None
        self._spawner.kill()
        self._curve = curve
        self._spawner = gevent.spawn(self._swarm.rejoin, curve, self._start_s)

    def move(self, plan: Plan, curve: TrafficCurve) -> None:
        """Follow a curve that a search has made longer. curve: this process's part of `plan`'s."""
        self._plan, self._levels = plan, plan_levels(plan)
        if isinstance(self._swarm, ArrivalSwarm) and plan.arrivals is not None:
            self._swarm.arrivals = plan.arrivals
        self.replan(curve)

    def release(self) -> None:
        """No new request from now on; those in flight go on (S8)."""
        self._released = True
        if self._spawner is not None:
            self._spawner.kill()
        self._swarm.release(self.now_s())

    def cut(self) -> int:
        """End the requests in flight, recorded as CUT; returns how many."""
        return self._swarm.cut()

    def take(self, index: int, planned_end_s: float) -> tuple[Window, dict[str, object]]:
        """Close the window planned to end at `planned_end_s`: (window, the schedule's audit of it)."""
        end_s = max(self.now_s(), self._window_start_s)  # a run may be stopped before it has begun
        start_s, self._window_start_s = self._window_start_s, end_s
        length_s = max(end_s - start_s, 1e-9)
        window_s = self._plan.options.window_s
        on_time = end_s - planned_end_s <= ON_TIME * window_s
        planned_start_s = index * window_s
        level = level_of(self._levels, planned_start_s, planned_end_s) if on_time and not self._released else None
        starts, stops = self._swarm.audit()
        lags_s = [max(0.0, actual_s - planned_s) for _, planned_s, actual_s in starts]
        readings = self._probe.take()
        frame = Frame(
            Span(index, round(start_s, 6), round(end_s, 6), level),
            Load(
                users=0 if self._released else self._curve.users_at(planned_start_s),
                running=self._swarm.running,
                active=self._swarm.take_active_s() / length_s,
            ),
            age_sum_s=self._swarm.age_sum_s(),
            health=Health(
                spawned=len(starts),
                spawn_lag_sum_s=sum(lags_s),
                spawn_lag_max_s=max(lags_s, default=0.0),
                loop_lag_s=max(readings.loop_lag_s, end_s - planned_end_s if on_time else 0.0),
                cpu=readings.cpu,
                steal=readings.steal,
                clock_step_s=readings.clock_step_s,
                suspended_s=readings.suspended_s,
            ),
            sends=self._swarm.take_sends() if isinstance(self._swarm, ArrivalSwarm) else Sends(),
        )
        return self._recorder.take(frame), {"starts": starts, "stops": stops}

    def _mark(self) -> None:
        """Tell the recorder how far the window has got; before the run there is none."""
        if self._spawner is None:
            return
        into_s = self.now_s() - self._window_start_s
        self._recorder.mark(int(SLICES * into_s / self._plan.options.window_s))

    def close(self) -> None:
        """Free the target and the probe."""
        self._probe.close()
        self._target.close()

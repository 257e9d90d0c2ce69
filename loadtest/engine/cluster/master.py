"""The master of a distributed run: it starts no users, it owns the one controller. Runs in a patched process.

Workers follow their parts of the curve by themselves, at absolute times; the master merges their windows, decides, and
tells them. A worker that is lost marks every later window and its users are planned anew on the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gevent

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.engine.awake import Awake
from loadtest.engine.cluster import heard
from loadtest.engine.cluster.door import Door
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE
from loadtest.engine.cluster.phase import RunPhase, too_early
from loadtest.engine.cluster.post import STRANGERS, Letter, Post
from loadtest.engine.cluster.roster import Member, Roster
from loadtest.engine.generator.link import Link
from loadtest.errors import EngineError, LoadtestError

__all__ = ["run_master"]

OPEN_S = 60.0
CLOCK_QUESTIONS = 9
LEAD_S = 0.5  # between the word to start and the first user: every worker must have heard it
LOOK_S = 0.02
SILENT_S = 15.0  # a worker that beats, and has told of no window for so long, is lost all the same
REPLAN_S = 0.5  # until those that are left have taken over a lost worker's users
GIVEN_UP = "the master had to take this worker for lost, after seconds without a sign of life"
SETTLE_S = 5.0  # after the drain, for the last windows


def run_master(plan: Plan, host: str, port: int, expected: int, join_s: float, link: Link) -> None:
    """Gather `expected` workers within `join_s`, run the plan on them and tell the parent everything.

    Raises SpecError if it cannot listen there or a worker cannot read the payload, TargetError if a worker cannot open
    the target, EngineError if they do not come, understand another plan, read other payloads, or are all lost.
    """
    _Master(plan, host, port, expected, join_s, link).run()


class _Master:
    def __init__(self, plan: Plan, host: str, port: int, expected: int, join_s: float, link: Link) -> None:
        self._join_s = join_s
        self._plan = plan
        self._expected = expected
        self._link = link
        self._roster = Roster(plan)
        self._controller = Controller(plan)
        self._facts: Mapping[str, str] = {}
        self._stop: Stop | None = None
        self._drain_until_s = 0.0
        self._cut = 0
        self._start_s = 0.0
        self._awake = Awake(time.monotonic)
        self._phase = RunPhase.GATHERING
        self._post = Post(host, port)
        self._door = Door(self._post, self._roster, expected, os.environ.get(TOKEN_VARIABLE, ""))

    def run(self) -> None:
        beat = gevent.spawn(self._link.keep_beating)
        try:
            self._link.send("listening", port=self._post.port)
            self._gather()
            self._begin()
            while not self._over():
                self._step()
            self._settle()
            self._observe(self._roster.rest())
            self._link.send("done", cut=self._cut, ended_s=self._now_s(), workers=self._workers())
        except LoadtestError as problem:
            self._tell("quit", {"why": f"the run ended: {problem}"})
            raise
        finally:
            self._tell("quit")
            gevent.sleep(0.1)  # ZeroMQ sends from its own thread
            beat.kill()

    # Before the start

    def _gather(self) -> None:
        self._until(self._all_here, f"{self._expected} workers to join", self._join_s)
        for member in self._roster:
            given = {"plan": self._plan.to_dict(), "index": member.index, "of": len(self._roster)}
            self._post.send("plan", given, member.client_id)
        self._phase, self._door.closed = RunPhase.OPENING, True
        self._until(lambda: all(member.digest for member in self._roster.living), "every worker to open the target")
        if len({member.payload for member in self._roster.living}) > 1:
            raise EngineError("the workers do not read the same payloads: give each machine the same files")
        for _ in range(CLOCK_QUESTIONS):
            for member in self._roster.living:
                member.asked.add(asked := time.time())
                self._post.send("clock", {"asked": asked}, member.client_id)
            self._hear(0.05)
        self._until(lambda: all(m.round_trip_s < float("inf") for m in self._roster.living), "every worker's clock")

    def _all_here(self) -> bool:
        for member in [member for member in self._roster if self._post.is_gone(member.client_id)]:
            # If it only stalled, it is not to wait for a place that is taken.
            self._post.dismiss(member.client_id, GIVEN_UP)
            self._roster.leave(member.client_id)
        return len(self._roster) >= self._expected

    def _until(self, done: Callable[[], bool], what: str, within_s: float = OPEN_S) -> None:
        limit_s = time.monotonic() + within_s
        while not done():
            if time.monotonic() > limit_s:
                raise EngineError(f"waited {within_s:g} s for {what}: {len(self._roster)} of {self._expected} came")
            self._hear(LOOK_S)
            self._obey()
            if self._stop is not None:
                raise EngineError("stopped before the start")
            if self._phase is RunPhase.OPENING:
                self._check_nobody_left()

    def _check_nobody_left(self) -> None:
        """Before the start nobody may fall silent; who was sent home is done without, unless it was the last."""
        alone = not self._roster.living
        for member in self._roster:
            if alone if member.lost else self._post.is_gone(member.client_id):
                why = f": {member.why}" if member.why else ""
                raise EngineError(f"worker {member.index} on {member.host} was lost before the run began{why}")

    def _begin(self) -> None:
        start_at = time.time() + LEAD_S
        self._start_s = time.monotonic() + LEAD_S
        self._phase = RunPhase.RUNNING
        for member in self._roster.living:
            self._post.send("start", {"at": start_at + member.offset_s}, member.client_id)
        if self._roster.lost:
            self._replan()
        self._link.send("ready", started_at=start_at, facts=self._facts, workers=self._workers())

    # The run

    def _step(self) -> None:
        self._hear(LOOK_S)
        self._obey()
        self._look_for_lost()
        self._observe(self._roster.complete())
        if self._phase is RunPhase.RUNNING:
            self._decide(max(self._now_s(), 0.0))
        elif self._phase is RunPhase.DRAINING and self._now_s() >= self._drain_until_s:
            self._phase = RunPhase.CUTTING
            self._tell("cut")

    def _decide(self, now_s: float) -> None:
        decision = self._controller.tick(now_s)
        if isinstance(decision, Stop):
            self._tell("stop")
            self._phase, self._stop = RunPhase.DRAINING, decision
            self._drain_until_s = now_s + self._plan.options.drain_s
            self._link.send(
                "stopping", reason=decision.reason.value, evidence=dict(decision.evidence), at_s=round(now_s, 6)
            )

    def _over(self) -> bool:
        if self._phase >= RunPhase.DRAINING:
            late = self._now_s() > self._drain_until_s + SETTLE_S
            return late or self._roster.drained or not self._roster.living
        if not self._roster.living:
            self._observe(self._roster.rest())
            raise EngineError("every worker was lost")
        return False

    def _settle(self) -> None:
        """Messages that are under way belong to the run."""
        limit_s = time.monotonic() + LOOK_S
        while time.monotonic() < limit_s:
            self._hear(LOOK_S)

    def _look_for_lost(self) -> None:
        self._awake.look()
        gone = [member for member in self._roster.living if not member.drained and self._is_lost(member)]
        for member in gone:
            self._post.dismiss(member.client_id, GIVEN_UP)
        self._lose(gone)

    def _lose(self, members: Sequence[Member]) -> None:
        """Go on without them: others take their users over."""
        for member in members:
            member.lost = True
            member.replaced_s = self._now_s() + REPLAN_S if self._phase >= RunPhase.RUNNING else 0.0
        if members and self._phase >= RunPhase.RUNNING:
            self._link.send("workers", workers=self._workers())
            self._replan()

    def _is_lost(self, member: Member) -> bool:
        told_s = max((member.newest + 1) * self._plan.options.window_s, self._awake.back_s - self._start_s)
        late_s = SILENT_S + self._plan.options.window_s
        return self._post.is_gone(member.client_id) or self._now_s() - told_s > late_s

    def _replan(self) -> None:
        living, self._plan = self._roster.living, self._controller.plan
        if self._phase is not RunPhase.RUNNING or not living:
            return
        for member, part in zip(living, self._plan.curve.split(len(living)), strict=True):
            self._post.send("curve", {**asdict(part), "moves": self._plan.moves}, member.client_id)

    def _observe(self, windows: Iterable[Window]) -> None:
        for window in windows:
            self._controller.observe(window)
            if self._controller.plan is not self._plan:
                self._replan()
            self._link.send("window", window=window.to_dict(), progress=dict(self._controller.progress()))

    # Messages

    def _hear(self, timeout_s: float) -> None:
        """Act on what has arrived, as far as it can be true; wait at most `timeout_s` for the first letter."""
        for letter in self._post.arrived(timeout_s):
            kind, client_id = letter[0].removeprefix("loadtest_"), letter[1]
            try:
                if self._roster.knows(client_id) and letter[0] not in STRANGERS:
                    self._hear_member(kind, self._roster[client_id], letter)
                elif not self._roster.knows(client_id) and letter[0] in STRANGERS:
                    self._hear_stranger(kind, client_id, heard.members(letter[2]))
            except ValueError as problem:
                self._expel(client_id, f"its message {kind} is refused: {problem}")

    def _hear_stranger(self, kind: str, client_id: str, told: Mapping[str, Any]) -> None:
        if (member := self._door.hear(kind, client_id, told)) is not None:
            self._link.send("joined", host=member.host, count=len(self._roster), of=self._expected)

    def _hear_member(self, kind: str, member: Member, letter: Letter) -> None:
        if member.lost:
            # It was only silent: others have taken its users over, and its windows are closed.
            self._post.dismiss(member.client_id, member.why or GIVEN_UP)
            return
        data = self._post.opened(letter)
        if why := too_early(kind, self._phase):
            raise ValueError(why)
        if kind == "ready":
            self._accept(member, heard.ready(data))
        elif kind == "clock":
            member.heard_clock(*heard.clock_times(data), letter[3])
        elif kind == "failed":
            raise heard.failure(data, f"worker {member.index} on {member.host}")
        elif kind == "window":
            window, starts, stops = member.account.window(data, self._now_s())
            self._roster.receive(member.client_id, window)
            self._link.send("starts", starts=starts, stops=stops)
        elif kind == "drained":
            member.drained = True
        elif kind == "cut":
            self._cut += member.account.cut(data)

    def _expel(self, client_id: str, why: str) -> None:
        """Send a worker home that says what cannot be; the run goes on with the others."""
        self._post.dismiss(client_id, why)
        if not self._roster.knows(client_id):
            return
        member = self._roster[client_id]
        if self._phase is RunPhase.GATHERING:
            self._roster.leave(client_id)
        elif not member.lost:
            member.why = why
            self._lose([member])

    def _accept(self, member: Member, told: heard.Ready) -> None:
        if told.digest != (digest := self._plan.digest()):
            what = f"another plan ({told.digest[:12]}, not {digest[:12]})"
            raise ValueError(f"it understood {what}: is its version of loadtest another one?")
        member.digest, member.payload, self._facts = told.digest, told.payload, told.facts

    def _workers(self) -> list[dict[str, Any]]:
        return [asdict(worker) for worker in self._roster.workers()]

    def _tell(self, kind: str, data: Any = None) -> None:
        for member in self._roster.living:
            self._post.send(kind, data, member.client_id)

    def _obey(self) -> None:
        while self._link.commands:
            kind = self._link.commands.popleft()["kind"]
            if kind == "orphaned":
                os._exit(70)
            if kind == "stop":
                self._controller.request_stop(Reason.USER, {})
                if self._phase < RunPhase.RUNNING:
                    self._stop = Stop(Reason.USER, {})

    def _now_s(self) -> float:
        return time.monotonic() - self._start_s

"""The master of a distributed run: it starts no users, it owns the one controller. Runs in a patched process.

Workers follow their parts of the curve by themselves, at absolute times; the master merges their windows, decides, and
tells them. A worker that is lost marks every later window and its users are planned anew on the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gevent
from gevent.queue import Empty, Queue

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan
from loadtest.engine.cluster import heard
from loadtest.engine.cluster.admission import Admission, version_fault
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE
from loadtest.engine.cluster.roster import Member, Roster
from loadtest.engine.cluster.runners import listen_for_workers
from loadtest.engine.generator.link import Link
from loadtest.errors import EngineError, LoadtestError, Problem, SpecError, TargetError

__all__ = ["run_master"]

WORKER_MESSAGES = tuple(
    f"loadtest_{kind}" for kind in ("hello", "proof", "ready", "clock", "window", "drained", "cut", "failed")
)
OPEN_S = 60.0
CLOCK_QUESTIONS = 9
LEAD_S = 0.5  # between the word to start and the first user: every worker must have heard it
LOOK_S = 0.02
MISSING = "missing"  # locust.runners.STATE_MISSING: three heartbeats of a second without a sign
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
        self._inbox: Queue[Any] = Queue()
        self._roster = Roster()
        self._controller = Controller(plan)
        self._facts: Mapping[str, str] = {}
        self._planned = False  # the plan is out: who is here now takes part
        self._stop: Stop | None = None
        self._drain_until_s = 0.0
        self._cut = 0
        self._cut_sent = False
        self._start_s = 0.0
        self._admission = Admission(os.environ.get(TOKEN_VARIABLE, ""))
        self._bounds = heard.WindowBounds(plan)
        self._runner = listen_for_workers(host, port)
        for message in WORKER_MESSAGES:
            self._runner.register_message(message, self._receive)

    def run(self) -> None:
        beat = gevent.spawn(self._beat)
        try:
            self._link.send("listening", port=self._runner.server.port)
            self._gather()
            self._begin()
            while not self._over():
                self._step()
            self._settle()
            for window in self._roster.rest():
                self._observe(window)
            self._link.send("done", cut=self._cut, ended_s=self._now_s(), workers=self._workers())
        except LoadtestError as problem:
            self._tell("loadtest_quit", {"why": f"the run ended: {problem}"})
            raise
        finally:
            self._tell("loadtest_quit")
            gevent.sleep(0.1)  # ZeroMQ sends from its own thread
            beat.kill()

    # Before the start

    def _gather(self) -> None:
        self._until(self._all_here, f"{self._expected} workers to join", self._join_s)
        for member in self._roster:
            given = {"plan": self._plan.to_dict(), "index": member.index, "of": len(self._roster)}
            self._runner.send_message("loadtest_plan", given, member.client_id)
        self._planned = True
        self._until(lambda: all(member.digest for member in self._roster), "every worker to open the target")
        if len({member.payload for member in self._roster}) > 1:
            raise EngineError("the workers do not read the same payloads: give each machine the same files")
        for _ in range(CLOCK_QUESTIONS):
            self._tell("loadtest_clock", {"asked": time.time()})
            self._hear(0.05)
        self._until(lambda: all(m.round_trip_s < float("inf") for m in self._roster), "every worker's clock")

    def _all_here(self) -> bool:
        for member in [member for member in self._roster if self._is_gone(member)]:
            self._dismiss(member.client_id, GIVEN_UP)  # if it only stalled, it is not to wait for a place that is taken
            self._roster.leave(member.client_id)
        return len(self._roster) >= self._expected

    def _until(self, done: Any, what: str, within_s: float = OPEN_S) -> None:
        limit_s = time.monotonic() + within_s
        while not done():
            if time.monotonic() > limit_s:
                raise EngineError(f"waited {within_s:g} s for {what}: {len(self._roster)} of {self._expected} came")
            self._hear(LOOK_S)
            self._obey()
            if self._stop is not None:
                raise EngineError("stopped before the start")
            lost = next((m for m in self._roster if self._planned and (m.lost or self._is_gone(m))), None)
            if lost is not None:
                why = f": {lost.why}" if lost.why else ""
                raise EngineError(f"worker {lost.index} on {lost.host} was lost before the run began{why}")

    def _begin(self) -> None:
        start_at = time.time() + LEAD_S
        self._start_s = time.monotonic() + LEAD_S
        for member in self._roster:
            self._runner.send_message("loadtest_start", {"at": start_at + member.offset_s}, member.client_id)
        self._link.send("ready", started_at=start_at, facts=self._facts, workers=self._workers())

    # The run

    def _step(self) -> None:
        self._hear(LOOK_S)
        self._obey()
        self._look_for_lost()
        for window in self._roster.complete():
            self._observe(window)
        if self._stop is None:
            self._decide(max(self._now_s(), 0.0))
        elif self._now_s() >= self._drain_until_s and not self._cut_sent:
            self._cut_sent = True
            self._tell("loadtest_cut")

    def _decide(self, now_s: float) -> None:
        decision = self._controller.tick(now_s)
        if isinstance(decision, Stop):
            self._tell("loadtest_stop")
            self._stop = decision
            self._drain_until_s = now_s + self._plan.options.drain_s
            self._link.send(
                "stopping", reason=decision.reason.value, evidence=dict(decision.evidence), at_s=round(now_s, 6)
            )

    def _over(self) -> bool:
        if not self._roster.living:
            if self._stop is not None:
                return True
            for window in self._roster.rest():
                self._observe(window)
            raise EngineError("every worker was lost")
        late = self._stop is not None and self._now_s() > self._drain_until_s + SETTLE_S
        return self._stop is not None and (self._roster.drained or late)

    def _settle(self) -> None:
        """Messages that are under way belong to the run."""
        limit_s = time.monotonic() + LOOK_S
        while time.monotonic() < limit_s:
            self._hear(LOOK_S)

    def _look_for_lost(self) -> None:
        gone = [member for member in self._roster.living if self._is_gone(member) and not member.drained]
        for member in gone:
            self._dismiss(member.client_id, GIVEN_UP)
        self._lose(gone)

    def _lose(self, members: Sequence[Member]) -> None:
        """Go on without them: others take their users over."""
        for member in members:
            member.lost = True
            member.replaced_s = self._now_s() + REPLAN_S if self._start_s else float("inf")
        if members and self._start_s:
            self._link.send("workers", workers=self._workers())
            self._replan()

    def _is_gone(self, member: Member) -> bool:
        node = self._runner.clients.get(member.client_id)
        return node is None or node.state == MISSING

    def _replan(self) -> None:
        living = self._roster.living
        if self._stop is not None or not living:
            return
        for member, part in zip(living, self._plan.curve.split(len(living)), strict=True):
            self._runner.send_message("loadtest_curve", asdict(part), member.client_id)

    def _observe(self, window: Window) -> None:
        self._controller.observe(window)
        self._link.send("window", window=window.to_dict(), progress=dict(self._controller.progress()))

    # Messages

    def _receive(self, environment: Any, msg: Any, **_: Any) -> None:
        self._inbox.put((msg.type, msg.node_id, msg.data, time.time()))

    def _hear(self, timeout_s: float) -> None:
        """Act on everything that has arrived; wait at most `timeout_s` for the first."""
        try:
            message = self._inbox.get(timeout=timeout_s)
            while True:
                self._act(*message)
                message = self._inbox.get_nowait()
        except Empty:
            pass

    def _act(self, kind: str, client_id: str, data: Any, heard_at: float) -> None:
        """Act on one message. What a worker says is believed only as far as it can be true."""
        try:
            if kind == "loadtest_hello":
                self._welcome(client_id, heard.members(data))
            elif kind == "loadtest_proof":
                self._admit(client_id, heard.members(data))
            elif self._roster.knows(client_id):
                self._hear_member(kind, self._roster[client_id], data, heard_at)
        except ValueError as problem:
            self._expel(client_id, f"its message {kind.removeprefix('loadtest_')} is refused: {problem}")

    def _hear_member(self, kind: str, member: Member, data: Any, heard_at: float) -> None:
        if member.lost:
            # It was only silent: others have taken its users over, and its windows are closed.
            self._dismiss(member.client_id, GIVEN_UP)
        elif kind == "loadtest_ready":
            told = heard.ready(data)
            self._accept(member, told.digest)
            member.payload, self._facts = told.payload, told.facts
        elif kind == "loadtest_clock":
            asked, here = heard.clock_times(data)
            member.heard_clock(asked, here, heard_at)
        elif kind == "loadtest_window":
            told_of = heard.members(data)
            window = self._bounds.window(told_of.get("window"))
            starts = heard.user_times(told_of, "starts", self._bounds.end_s)
            stops = heard.user_times(told_of, "stops", self._bounds.end_s)
            self._roster.receive(member.client_id, window)
            self._link.send("starts", starts=starts, stops=stops)
        elif kind == "loadtest_drained":
            member.drained = True
        elif kind == "loadtest_cut":
            self._cut += heard.count(heard.members(data), "cut")
        elif kind == "loadtest_failed":
            self._refuse(member, *heard.failure(data))

    def _welcome(self, client_id: str, told: Mapping[str, Any]) -> None:
        """A worker has come: it is told that we know the token before it has to say so itself."""
        why = version_fault(told) or self._full()
        if why:
            self._dismiss(client_id, why)
        else:
            self._runner.send_message("loadtest_proof", self._admission.challenge(client_id, told), client_id)

    def _admit(self, client_id: str, told: Mapping[str, Any]) -> None:
        why = self._admission.fault(client_id, told) or self._full()
        if why:
            self._dismiss(client_id, why)
        else:
            member = self._roster.join(client_id)
            self._link.send("joined", host=member.host, count=len(self._roster), of=self._expected)

    def _full(self) -> str:
        """Why nobody else can take part; "": somebody can."""
        full = self._planned or len(self._roster) >= self._expected
        return f"the run has its {self._expected} workers already" if full else ""

    def _expel(self, client_id: str, why: str) -> None:
        """Send a worker home that says what cannot be; the run goes on with the others."""
        self._dismiss(client_id, why)
        if not self._roster.knows(client_id):
            return
        member = self._roster[client_id]
        if not self._planned:
            self._roster.leave(client_id)
        elif not member.lost:
            member.why = why
            self._lose([member])

    def _accept(self, member: Member, digest: str) -> None:
        if digest != self._plan.digest():
            raise EngineError(
                f"worker {member.client_id} understood another plan ({digest[:12]}, not {self._plan.digest()[:12]}): "
                "is its version of loadtest another one?"
            )
        member.digest = digest

    def _dismiss(self, client_id: str, why: str) -> None:
        self._runner.send_message("loadtest_quit", {"why": why}, client_id)

    def _refuse(self, member: Member, fault: str, problems: Sequence[str]) -> None:
        where = f"worker {member.index} on {member.host}"
        if fault == "spec":
            raise SpecError([Problem(where, "", text) for text in problems])
        raise (TargetError if fault == "target" else EngineError)(f"{where}: {'; '.join(problems)}")

    def _workers(self) -> list[dict[str, Any]]:
        return [asdict(worker) for worker in self._roster.workers()]

    def _tell(self, kind: str, data: Any = None) -> None:
        for member in self._roster.living:
            self._runner.send_message(kind, data, member.client_id)

    def _obey(self) -> None:
        while self._link.commands:
            kind = self._link.commands.popleft()["kind"]
            if kind == "orphaned":
                os._exit(70)
            if kind == "stop":
                self._controller.request_stop(Reason.USER, {})
                if not self._start_s:
                    self._stop = Stop(Reason.USER, {})

    def _now_s(self) -> float:
        return time.monotonic() - self._start_s

    def _beat(self) -> None:
        while True:
            self._link.beat()
            gevent.sleep(0.1)

"""One worker of a distributed run: its part of the curve, on the master's word. Runs in a patched process.

It talks through Locust's own worker runner (ZeroMQ), with messages of ours, sealed (seal.py) after the two proofs:

    master -> worker    loadtest_plan   the plan, this worker's index, how many there are, the plan's digest
                        loadtest_proof  it knows the token (engine/cluster/handshake.py)
                        loadtest_clock  a clock question: answered with this host's time
                        loadtest_start  when to begin, in this host's time
                        loadtest_curve  another part of the curve: a worker was lost, or a search moves on
                        loadtest_stop, loadtest_cut
                        loadtest_quit   end: the run is over; with the reason, if it is not
    worker -> master    loadtest_hello  it listens; its version
                        loadtest_proof  it knows the token too
                        loadtest_ready  with the digests of the plan as it was understood, and of the payloads it read
                        loadtest_clock, loadtest_window, loadtest_drained, loadtest_cut (how many), loadtest_failed
"""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import Queue

from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan
from loadtest.engine.awake import Awake
from loadtest.engine.cluster.choice import WorkerChoice
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE, is_proof, nonce, proof, session_key
from loadtest.engine.cluster.runners import join_master
from loadtest.engine.cluster.seal import Seal
from loadtest.engine.generator.generator import Generator
from loadtest.engine.generator.link import Link
from loadtest.engine.messages import JOIN_S, failure
from loadtest.errors import EngineError, LoadtestError
from loadtest.payload.s3 import local_payload
from loadtest.targets.open import open_target
from loadtest.version import VERSION

__all__ = ["MASTER_MESSAGES", "MASTER_SILENCE_S", "run_worker"]

MASTER_MESSAGES = tuple(
    f"loadtest_{kind}" for kind in ("proof", "plan", "clock", "start", "curve", "stop", "cut", "quit")
)
UNSEALED = ("loadtest_proof", "loadtest_quit")  # what is read before the master has proven itself
MOST_LETTERS = 1000  # that wait
WRONG_TOKEN = "the run does not know this worker's token: give both the same one (LOADTEST_TOKEN or --token-file)"
MASTER_SILENCE_S = 6.0  # the master answers a heartbeat every second
LOOK_S = 0.05


def run_worker(master_host: str, master_port: int, link: Link) -> None:
    """Join a master and serve it until it says so, falls silent, or the parent is gone.

    Raises EngineError if the master cannot be reached, falls silent, or does without this worker.
    """
    beat = gevent.spawn(link.keep_beating)
    try:
        worker = _joined(master_host, master_port, link)
        if worker is not None:
            worker.serve()
    finally:
        beat.kill()


def _joined(host: str, port: int, link: Link) -> _Worker | None:
    """A worker that has joined a run; None: the parent ended the wait for one."""
    joining = gevent.spawn(_try_to_join, host, port, link)
    while not joining.ready():
        if _told_to_end(link):
            return None
        link.arrived.wait(LOOK_S)
        link.arrived.clear()
    found: _Worker | EngineError = joining.get()
    if isinstance(found, EngineError):
        raise found
    return found


def _try_to_join(host: str, port: int, link: Link) -> _Worker | EngineError:
    try:
        return _Worker(host, port, link)
    except EngineError as problem:
        return problem


class _Worker:
    def __init__(self, host: str, port: int, link: Link) -> None:
        self._link = link
        self._inbox: Queue[Any] = Queue()
        self._awake = Awake(time.monotonic)
        self._heard_s = 0.0
        self._runner = join_master(host, port, JOIN_S, self._heard)
        for message in MASTER_MESSAGES:
            self._runner.register_message(message, self._receive)
        self._token = os.environ.get(TOKEN_VARIABLE, "")
        self._choice = WorkerChoice.from_environment(os.environ)
        self._nonce = nonce()
        self._seal: Seal | None = None  # since the master has proven itself
        self._generator: Generator | None = None
        self._plan: Plan | None = None
        self._index = 0
        self._begun = Event()
        self._released = self._drained = False

    def serve(self) -> None:
        # Only now: what the master says before the messages are registered would be lost.
        self._heard_s = self._awake.look()
        self._runner.send_message("loadtest_hello", {"version": VERSION, "nonce": self._nonce})
        while not _told_to_end(self._link):
            self._check_master()
            timeout_s = LOOK_S
            if self._begun.is_set() and self._generator is not None:
                timeout_s = max(0.0, min(LOOK_S, self._window_end_s() - self._generator.now_s()))
            try:
                kind, data = self._inbox.get(timeout=timeout_s)
            except gevent.queue.Empty:
                pass
            else:
                if kind == "loadtest_quit":
                    if data:
                        raise EngineError(str(data.get("why", ""))[:1000] if isinstance(data, dict) else "sent home")
                    return
                try:
                    self._act(kind, data)
                except (KeyError, TypeError, ValueError, IndexError, AttributeError) as problem:
                    raise EngineError(f"the master sent what makes no sense: {kind}: {problem!r}"[:500]) from None
            if self._begun.is_set():
                self._measure()
        self._runner.send_message("quit")  # Locust's own word: the master need not wait for heartbeats that stay away
        gevent.sleep(0.1)  # ZeroMQ sends from its own thread

    def _receive(self, environment: Any, msg: Any, **_: Any) -> None:
        here, data = time.time(), msg.data
        if self._seal is not None:
            try:
                data = self._seal.open(msg.type, data)
            except ValueError:
                return  # not the master's, whoever it is from
        elif msg.type not in UNSEALED:
            return  # nobody that shows no proof is obeyed
        if msg.type == "loadtest_clock":
            # Answered on the spot: waiting in the inbox would look like a clock that is off.
            self._send("loadtest_clock", {"asked": data.get("asked") if isinstance(data, dict) else None, "here": here})
        elif self._inbox.qsize() < MOST_LETTERS:
            self._inbox.put((msg.type, data))

    def _send(self, kind: str, data: Any = None) -> None:
        assert self._seal is not None
        self._runner.send_message(kind, self._seal.close(kind, data))

    def _act(self, kind: str, data: Any) -> None:
        if kind == "loadtest_proof":
            self._answer(data)
        elif kind == "loadtest_plan":
            self._open(data)
        elif self._generator is None:
            return
        elif kind == "loadtest_start":
            self._generator.begin(time.monotonic() + data["at"] - time.time())
            self._begun.set()
        elif kind == "loadtest_curve":
            steps = tuple(Step(step["at_s"], step["users"]) for step in data["steps"])
            part = TrafficCurve(steps, data["end_s"])
            assert self._plan is not None
            for at_s, load in data["moves"][len(self._plan.moves) :]:
                self._plan = self._plan.moved(at_s, load)
            self._generator.move(self._plan, part)
        elif kind == "loadtest_stop" and not self._released:
            self._released = True
            self._generator.release()
        elif kind == "loadtest_cut":
            cut = self._generator.cut()
            self._send("loadtest_cut", {"cut": cut})

    def _answer(self, data: Any) -> None:
        """The master shows that it knows the token; then so do we."""
        told = data if isinstance(data, dict) else {}
        theirs = told.get("nonce")
        if not isinstance(theirs, str) or not is_proof(told.get("proof"), self._token, "master", self._nonce, theirs):
            raise EngineError(WRONG_TOKEN)
        self._seal = Seal(session_key(self._token, self._nonce, theirs), "worker")
        self._runner.send_message("loadtest_proof", {"proof": proof(self._token, "worker", self._nonce, theirs)})

    def _open(self, data: Any) -> None:
        try:
            plan = self._plan = Plan.from_dict(data["plan"])
            self._choice.check(plan)
            target = open_target(plan.target, peak_users=plan.peak)
            part = plan.curve.split(data["of"])[data["index"]]
            runner = self._runner
            with local_payload(plan.payload, plan.target.options) as source:
                here = replace(plan, payload=source)
                self._generator = Generator(here, part, target, runner, (data["index"], data["of"]))
        except Exception as problem:  # also of a plug-in, or of a plan that this version cannot read
            if not isinstance(problem, LoadtestError):
                traceback.print_exc()
            self._send("loadtest_failed", failure(problem))
        else:
            generator = self._generator
            told = {"digest": plan.digest(), "payload": generator.payload_digest, "facts": generator.facts}
            self._send("loadtest_ready", told)

    def _measure(self) -> None:
        assert self._generator is not None
        if self._generator.now_s() >= self._window_end_s():
            self._send_window(self._window_end_s())
        if self._released and not self._drained and not self._generator.running:
            self._drained = True
            self._send_window(self._generator.now_s())
            self._send("loadtest_drained")

    def _send_window(self, planned_end_s: float) -> None:
        assert self._generator is not None
        assert self._plan is not None
        window, audit = self._generator.take(self._index, planned_end_s)
        self._index = max(self._index + 1, int(window.end_s / self._plan.options.window_s))
        self._send("loadtest_window", {"window": window.to_dict(), **audit})

    def _window_end_s(self) -> float:
        assert self._plan is not None
        return (self._index + 1) * self._plan.options.window_s

    def _heard(self, **_: Any) -> None:
        self._heard_s = self._awake.now_s

    def _check_master(self) -> None:
        if self._awake.look() - self._heard_s > MASTER_SILENCE_S:
            raise EngineError(f"the master has been silent for {MASTER_SILENCE_S:g} s")


def _told_to_end(link: Link) -> bool:
    """The parent wants this worker to end; if it is gone itself, this does not return."""
    while link.commands:
        kind = link.commands.popleft()["kind"]
        if kind == "orphaned":
            os._exit(70)
        if kind == "stop":
            return True
    return False

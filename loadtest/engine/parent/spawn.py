"""The parent's side of a run: start the processes, read the windows, stop, reap, make the result. No gevent here.

Everything happens on two threads of its own, so any program can embed it: `start` returns at once, from any thread.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Literal

from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.core.result.result import RunResult, build_result
from loadtest.core.traffic.plan import Plan
from loadtest.engine.messages import JOIN_S, failure_text, heard_failure
from loadtest.engine.parent.asked import Asked
from loadtest.engine.parent.elsewhere import check_elsewhere
from loadtest.engine.parent.environment import environment
from loadtest.engine.parent.process import GeneratorProcess
from loadtest.engine.parent.processes import MOCK_ENV, RunProcesses
from loadtest.errors import EngineError, LoadtestError
from loadtest.targets.open import check_target_ref

__all__ = ["MOCK_ENV", "Progress", "Run", "Status", "start"]

Status = Literal["starting", "running", "draining", "finished"]
Progress = Mapping[str, Any]

SILENCE_S = 30.0  # a generator that says nothing for this long (and a window) is lost
EVERYWHERE = ("*", "0.0.0.0", "::", "[::]")  # addresses that mean all of this machine's own
FALLEN_S = 5.0  # a worker that ended before the start: the master, which knows more, may say why
OPEN_S = 75.0  # to import, resolve credentials and open the target
HARD_SLACK_S = 75.0  # after traffic and drain; the child's own hard end comes first


def start(
    plan: Plan,
    *,
    on_window: Callable[[Window, Progress], None] | None = None,
    on_changes: Callable[[Sequence[UserChange]], None] | None = None,
    on_news: Callable[[str], None] | None = None,
    on_ready: Callable[[Mapping[str, str]], None] | None = None,
    env: Mapping[str, str] | None = None,
    listen: tuple[str, int] | None = None,
    **labels: Any,
) -> Run:
    """Start a load test in processes of its own and return at once.

    plan.target may be a `mock:` ref: then its endpoint runs in a process too, for as long as the run.
    labels: what `build_result` takes besides (job, label, info, not_run, problems), kept in the result.
    on_window: called for each window, in order, with how near each stop condition is; on_changes: with the users that
        started and stopped; on_news: with what a person may want to know before the first window, in words; on_ready:
        with what the target tells of itself, when the run begins. All on a thread of the run's; what they raise ends
        the run in order and is raised by `Run.result`.
    env: added to the environment of the run's processes (credentials of a mock endpoint, say).
    listen: (host, port) where `plan.workers` workers started elsewhere join within ten minutes; None: they are started
        here. Beyond loopback both sides know the secret LOADTEST_TOKEN, in `env` or the environment; what they say is
        sealed by it, not encrypted.
    Raises SpecError if the target's name is not one, if workers elsewhere cannot reach a mock or read a payload in S3,
    or if there is no secret where one is needed. What fails later is raised by `Run.result`.
    """
    check_target_ref(plan.target)
    if listen is not None:
        check_elsewhere(plan, listen[0], {**os.environ, **(env or {})})
    return Run(plan, on_window, on_changes, on_news, on_ready, labels, env or {}, listen)


class Run:
    """A load test that was started. Thread-safe."""

    def __init__(
        self,
        plan: Plan,
        on_window: Callable[[Window, Progress], None] | None,
        on_changes: Callable[[Sequence[UserChange]], None] | None,
        on_news: Callable[[str], None] | None,
        on_ready: Callable[[Mapping[str, str]], None] | None,
        labels: Mapping[str, Any],
        env: Mapping[str, str],
        listen: tuple[str, int] | None,
    ) -> None:
        self._plan = plan
        self._listen = listen
        self._open_limit_s = OPEN_S if listen is None else JOIN_S + OPEN_S
        self._log: Sequence[str] = ()  # of the generator or master, growing
        self._labels = labels
        self._on_window = on_window
        self._on_changes = on_changes
        self._on_news = on_news
        self._on_ready = on_ready
        self._status: Status = "starting"
        self._processes = RunProcesses(env, listen)
        self._asked = Asked.NOTHING
        self._windows: list[Window] = []
        self._changes: list[UserChange] = []
        self._stop: Stop | None = None
        self._started_at: float | None = None
        self._ready_s = 0.0  # how long the child had been watched when it told its start
        self._stopped_at_s: float | None = None
        self._log_tail: Sequence[str] = ()
        self._workers: tuple[Worker, ...] = ()
        self._facts: Mapping[str, str] = {}
        self._fallen: Sequence[str] = ()
        self._fallen_s = 0.0  # likewise when the first was seen; 0.0: none was
        self._done: Mapping[str, Any] | None = None
        self._failure: LoadtestError | None = None
        self._callback_failure: BaseException | None = None
        self._result: RunResult | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._finished = threading.Event()
        threading.Thread(target=self._call, name="loadtest-callbacks", daemon=True).start()
        threading.Thread(target=self._work, name="loadtest-run", daemon=True).start()

    @property
    def status(self) -> Status:
        return self._status

    def stop(self) -> None:
        """End in order: no new request, requests in flight are drained, the result is made. Returns at once."""
        self._asked = max(self._asked, Asked.STOP)
        self._processes.stop()

    def kill(self) -> None:
        """End at once: requests in flight are cut; the result holds the windows that arrived. Returns at once."""
        self._asked = Asked.KILL
        self._processes.kill()

    def result(self, timeout: float | None = None) -> RunResult:
        """Wait for the end, at most `timeout` seconds (None: however long it takes; a run always ends).

        Raises TimeoutError if it has not ended by then, SpecError, TargetError or EngineError if it could not start,
        and whatever a callback raised.
        """
        if not self._finished.wait(timeout):
            raise TimeoutError(f"the run has not ended within {timeout} s")
        if self._callback_failure is not None:
            raise self._callback_failure
        if self._failure is not None:
            raise self._failure
        assert self._result is not None
        return self._result

    def _work(self) -> None:
        try:
            with closing(self._processes):
                self._converse(self._processes.open(self._plan))
        except LoadtestError as problem:
            self._failure = problem
        except Exception as problem:
            self._failure = EngineError(f"the run broke: {type(problem).__name__}: {problem}")
            self._failure.__cause__ = problem
        if self._failure is None:
            try:
                self._result = self._build()
            except Exception as problem:
                self._failure = EngineError(f"the result cannot be made: {type(problem).__name__}: {problem}")
                self._failure.__cause__ = problem
        self._calls.put(None)

    def _converse(self, child: GeneratorProcess) -> None:
        """Hear the child out, or end it when it breaks its limits."""
        self._log = child.log
        lost = ""
        try:
            for message in child.messages():
                if message is not None:
                    self._hear(message, child.watched_s)
                elif not lost and (lost := self._overdue(child)):
                    child.kill()
        except EngineError as problem:
            lost = str(problem)
            child.kill()
        # Who is told to end before the start may fall: that is nobody's fault.
        if self._asked < (Asked.STOP if self._started_at is None else Asked.KILL):
            self._fallen = self._processes.fallen()
        if self._done is not None or self._failure is not None:
            return
        if self._asked is Asked.KILL:
            self._stop = Stop(Reason.USER, {"at_once": True})
            return
        code = child.close()
        lost = lost or (f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}")
        self._lose(lost)

    def _overdue(self, child: GeneratorProcess) -> str:
        """Why the child must be ended now; "" if it need not. Times are those for which it was watched."""
        if self._started_at is None:
            if fallen := self._processes.fallen():
                self._fallen_s = self._fallen_s or child.watched_s
                if child.watched_s - self._fallen_s > FALLEN_S:
                    return fallen[0]
            limit_s = self._open_limit_s
            return "" if child.watched_s < limit_s else f"the target was not open after {limit_s:g} s"
        if child.silent_s > SILENCE_S + self._plan.options.window_s:
            return f"it said nothing for {child.silent_s:.0f} s"
        limit_s = self._plan.end_s + self._plan.options.drain_s + HARD_SLACK_S
        # By this clock, which nobody sets: the run's start is told in wall-clock time.
        return "" if child.watched_s - self._ready_s < limit_s else f"it had not ended after {limit_s:.0f} s"

    def _hear(self, message: Mapping[str, Any], watched_s: float) -> None:
        kind = message["kind"]
        if "workers" in message:
            self._workers = tuple(Worker.from_dict(worker) for worker in message["workers"])
        if kind == "ready":
            self._started_at, self._facts = message["started_at"], message["facts"]
            self._ready_s = watched_s
            self._status = "running"
            if self._on_ready is not None:
                self._calls.put(lambda call=self._on_ready: call(self._facts))  # type: ignore[misc]
        elif kind == "listening":
            self._processes.start_workers(self._plan.workers, message["port"])
            if self._listen is not None:
                host = socket.gethostname() if self._listen[0] in EVERYWHERE else self._listen[0]
                how = f"loadtest worker --master-host {host} --master-port {message['port']}"
                self._tell(f"waiting for {self._plan.workers} workers; on each machine: {how}")
        elif kind == "joined":
            if self._listen is not None:
                self._tell(f"{message['count']} of {message['of']} workers joined: {message['host']}")
        elif kind == "window":
            window = Window.from_dict(message["window"])
            # What is kept one by one goes to its file; in memory it would have no bound.
            self._windows.append(replace(window, requests=()) if window.requests else window)
            if self._on_window is not None:
                self._calls.put(lambda call=self._on_window: call(window, message["progress"]))  # type: ignore[misc]
        elif kind == "starts":
            changes = [UserChange(user, "start", planned, actual) for user, planned, actual in message["starts"]]
            changes += [UserChange(user, "stop", planned, actual) for user, planned, actual in message["stops"]]
            self._changes.extend(changes)
            if self._on_changes is not None and changes:
                self._calls.put(lambda call=self._on_changes: call(changes))  # type: ignore[misc]
        elif kind == "stopping":
            self._status = "draining"
            self._stopped_at_s = message["at_s"]
            self._stop = Stop(Reason(message["reason"]), message["evidence"])
        elif kind == "done":
            self._done = message
        elif kind == "failed":
            self._fail(message)

    def _tell(self, text: str) -> None:
        if self._on_news is not None:
            self._calls.put(lambda call=self._on_news: call(text))  # type: ignore[misc]

    def _fail(self, message: Mapping[str, Any]) -> None:
        if self._started_at is None and self._asked:
            self._stop, self._done = Stop(Reason.USER, {}), {}
        elif self._started_at is not None:
            self._lose(failure_text(message))
            self._done = {}
        else:
            self._failure = heard_failure(message)

    def _lose(self, why: str) -> None:
        log = list(self._log)
        if self._started_at is None:
            tail = "".join(f"\n  {line}" for line in log[-10:])
            raise EngineError(f"the generator process ended before the run began: {why}{tail}")
        self._stop = Stop(Reason.ENGINE_LOST, {"why": why})
        self._log_tail = log[-20:]

    def _build(self) -> RunResult:
        assert self._stop is not None
        return build_result(
            self._plan,
            self._windows,
            self._stop,
            starts=self._changes,
            started_at=self._started_at,
            stopped_at_s=self._stopped_at_s,
            environment={**environment(), **self._facts},
            log_tail=self._log_tail,
            workers=self._workers,
            **{**self._labels, "problems": [*self._labels.get("problems", ()), *self._fallen]},
        )

    def _call(self) -> None:
        """The callbacks' thread: a slow callback delays no measurement."""
        while (call := self._calls.get()) is not None:
            if self._callback_failure is None:
                try:
                    call()
                except BaseException as problem:  # SystemExit too: nobody else would ever hear of it
                    self._callback_failure = problem
                    self.stop()
        self._status = "finished"
        self._finished.set()

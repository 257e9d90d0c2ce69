"""Runs jobs, oldest first, a bounded number at once, and brings each to one of its ends.

A job's status only ever moves through the store's table, so a Stop that comes at any moment is either seen here or
comes too late to matter. Threads are daemons: a program that forgets `close` still ends.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from loadtest.jobs.events import execution_stream
from loadtest.jobs.jobrun import Ending, JobContext, JobRun
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.status import Status
from loadtest.jobs.store import StoreFailure

__all__ = ["Launcher"]

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

LIVE_JOBS = 10  # jobs that send real traffic at once; the rest waits as PENDING
VIRTUAL_JOBS = 2  # simulations compute all the time, more of them at once only slow each other down
RETRY_S = (0.1, 5.0)  # from one try to the next of what the store could not take: at first, at most
CLOSE_S = 60.0  # how long `close` waits for jobs to end

LOST = "The service ended while this job was running; results of the benchmarks that had finished are kept"
SHUT_DOWN = "The service was shut down while this job was running; results of the benchmarks that had finished are kept"


class Launcher:
    """Thread-safe."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._limit = VIRTUAL_JOBS if context.engine.virtual else LIVE_JOBS
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._running: dict[str, StopSignal] = {}
        self._threads: list[threading.Thread] = []
        self._closing = False

    def recover(self) -> None:
        """Settle what a former process left: jobs that ran are FAILED, those that were stopping are STOPPED,
        pending ones are submitted in their order."""
        store = self._context.store
        for job in store.in_status(Status.IN_PROGRESS):
            at_s = self._late_enough(job.name)
            self._settle(job.name, Status.FAILED, LOST, at_s)
            store.move(job.name, Status.FAILED, failure_reason=LOST, completed_s=at_s)
            self._context.events.log(execution_stream(job.name), LOST, at_s)
        for job in store.in_status(Status.STOPPING):
            self._stopped(job.name)
        for job in store.in_status(Status.PENDING):
            self.submit(job.name)

    def submit(self, name: str) -> None:
        """Run the job as soon as there is room."""
        with self._changed:
            self._waiting.append(name)
            if len(self._threads) < self._limit and len(self._threads) < len(self._waiting) + len(self._running):
                thread = threading.Thread(target=self._work, name="loadtest-job", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def stop(self, name: str, *, at_once: bool = False) -> None:
        """End a job that the store has as STOPPING. at_once: requests in flight are cut."""
        with self._changed:
            waited = name in self._waiting
            if waited:
                self._waiting.remove(name)
            signal = self._running.get(name)
        if waited:
            try:
                self._stopped(name)
            except StoreFailure:
                self.submit(name)  # a worker sees that it is not to run, and tries until it can be kept
        elif signal is not None:
            signal.ask(at_once=at_once)

    def close(self) -> None:
        """End the running jobs at once; pending ones stay pending. Returns when they have ended."""
        with self._changed:
            self._closing = True
            signals = list(self._running.values())
            self._changed.notify_all()
        for signal in signals:
            signal.ask(at_once=True)
        for thread in self._threads:
            thread.join(CLOSE_S)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                name = self._waiting.popleft()
                signal = self._running[name] = StopSignal()
            try:
                self._run(name, signal)
            except Exception:
                _LOG.exception("job %s could not be brought to its end", name)
            finally:
                with self._changed:
                    del self._running[name]

    def _run(self, name: str, signal: StopSignal) -> None:
        store = self._context.store
        job = self._surely(lambda: store.get(name))
        if job is None:
            return
        # Not from PENDING any more: it was stopped before it began.
        if not self._surely(lambda: store.move(name, Status.IN_PROGRESS)):
            self._surely(lambda: self._stopped(name))
            return
        ending = JobRun(self._context, job, signal).run()
        self._surely(lambda: self._keep(name, ending, signal))

    def _keep(self, name: str, ending: Ending, signal: StopSignal) -> None:
        """Write down how a job ended; may be done again from the start if it fails midway."""
        if signal.at_once:
            ending = replace(ending, status=Status.FAILED, failure_reason=SHUT_DOWN)
        elif signal.asked:  # by the API, or by who provides the endpoints: what was cut short is not completed
            self._context.store.move(name, Status.STOPPING)
        if ending.status is Status.FAILED:
            self._settle(name, Status.FAILED, ending.failure_reason, ending.completed_s)
        kept = self._context.store.move(
            name, ending.status, failure_reason=ending.failure_reason, completed_s=ending.completed_s
        )
        if not kept:
            self._stopped(name, ending.completed_s)

    def _surely(self, act: Callable[[], _T]) -> _T:
        """What `act` returns, tried until the store can do it (a full disk is emptied some day) or all is closed."""
        wait_s, longest_s = RETRY_S
        while True:
            try:
                return act()
            except StoreFailure as problem:
                _LOG.error("%s; tried again in %g s", problem, wait_s)
                with self._changed:
                    if self._changed.wait_for(lambda: self._closing, wait_s):
                        raise
                wait_s = min(2 * wait_s, longest_s)

    def _stopped(self, name: str, completed_s: float | None = None) -> None:
        at_s = self._late_enough(name, completed_s)
        self._settle(name, Status.STOPPED, None, at_s)
        self._context.store.move(name, Status.STOPPED, completed_s=at_s)
        self._context.events.log(execution_stream(name), f"Job {name} STOPPED", at_s)

    def _late_enough(self, name: str, time_s: float | None = None) -> float:
        """`time_s`, None: now; but no sooner than what the job has told, whose virtual time may be ahead of it."""
        job = self._context.store.get(name)
        time_s = self._context.store.now_s() if time_s is None else time_s
        return time_s if job is None else max(time_s, job.modified_s)

    def _settle(self, name: str, status: Status, reason: str | None, at_s: float) -> None:
        """Give the steps that have not ended an end. at_s: on the job's clock."""
        store = self._context.store
        left = [step for step in store.steps(name) if not step.status.final]
        settled = [
            replace(
                step,
                status=status,
                failure_reason=reason,
                ended_s=None if step.started_s is None else max(at_s, step.started_s),
            )
            for step in left
        ]
        if settled:
            store.put_steps(name, settled, at_s)

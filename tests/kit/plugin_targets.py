"""Targets that behave badly, or just simply: what the engine's tests put under load."""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import gevent
import gevent.lock

from loadtest import Kind, Outcome, Payload
from loadtest.engine.generator import probe


class Sleeper:
    """Answers after 10 ms, like an idle endpoint."""

    service_s = 0.01

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = time.monotonic_ns()
        gevent.sleep(self.service_s)
        done_ns = time.monotonic_ns()
        return Outcome(Kind.OK, 200, len(payload.body), sent_ns, done_ns, done_ns)

    def close(self) -> None:
        pass


class Slow(Sleeper):
    """Takes a second: long enough for a step down or a stop to find requests in flight."""

    service_s = 1.0


class Queue(Sleeper):
    """One connection for everybody: the next request is sent when the one before it is answered."""

    def __init__(self) -> None:
        self._connection = gevent.lock.Semaphore()

    def invoke(self, payload: Payload) -> Outcome:
        with self._connection:
            return super().invoke(payload)


class Silent(Sleeper):
    """Never answers, and has no timeout of its own."""

    service_s = 3600.0


class Blocker(Sleeper):
    """Never gives the event loop back."""

    def invoke(self, payload: Payload) -> Outcome:
        while True:
            pass


class Burner(Sleeper):
    """Burns 150 ms of the generator's own core for each answer."""

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = time.monotonic_ns()
        while time.monotonic_ns() - sent_ns < 150_000_000:
            pass
        done_ns = time.monotonic_ns()
        return Outcome(Kind.OK, 200, 0, sent_ns, done_ns, done_ns)


class Worker(Sleeper):
    """Needs 0.2 ms of the generator's core for each answer: 40 users want 0.8 of it."""

    def invoke(self, payload: Payload) -> Outcome:
        end_ns = time.thread_time_ns() + 200_000
        while time.thread_time_ns() < end_ns:
            pass
        return super().invoke(payload)


class Raiser(Sleeper):
    """Breaks the contract: raises."""

    def invoke(self, payload: Payload) -> Outcome:
        raise RuntimeError("the plug-in has a bug")


class Clock(Sleeper):
    """Tells the wall clock's time, as the detail of a failure."""

    def invoke(self, payload: Payload) -> Outcome:
        asked_at = time.time()
        return super().invoke(payload)._replace(kind=Kind.MODEL_ERROR, detail=f"{asked_at:.4f}")


class Modules(Sleeper):
    """Fails with the names of the modules that were loaded since its first invocation."""

    before: frozenset[str] = frozenset()

    def invoke(self, payload: Payload) -> Outcome:
        self.before = self.before or frozenset(sys.modules)
        new = " ".join(sorted(set(sys.modules) - self.before))
        outcome = super().invoke(payload)
        return outcome._replace(kind=Kind.MODEL_ERROR, detail=new) if new else outcome


class Printer(Sleeper):
    """Prints, which must not garble the messages to the parent."""

    def invoke(self, payload: Payload) -> Outcome:
        print("noise on stdout")
        return super().invoke(payload)


class Suicide(Sleeper):
    """Takes the whole process with it."""

    def invoke(self, payload: Payload) -> Outcome:
        gevent.sleep(0.5)
        os.kill(os.getpid(), 9)
        raise AssertionError("unreachable")


class Wrong(Sleeper):
    """Calls every request wrong, at once."""

    def invoke(self, payload: Payload) -> Outcome:
        return super().invoke(payload)._replace(kind=Kind.CLIENT_ERROR, status=400, detail="ValidationError")


class SometimesWrong(Sleeper):
    """Calls every second request wrong."""

    def __init__(self) -> None:
        self._asked = 0

    def invoke(self, payload: Payload) -> Outcome:
        self._asked += 1
        good = self._asked % 2
        outcome = super().invoke(payload)
        return outcome if good else outcome._replace(kind=Kind.CLIENT_ERROR, status=400, detail="x")


class Licensed(Sleeper):
    """One process that uses it, whichever is the first, says something and ends after a second."""

    def __init__(self, path: str) -> None:
        self._path, self._from_s = path, time.monotonic() + 1.0

    def invoke(self, payload: Payload) -> Outcome:
        if time.monotonic() > self._from_s:
            self._from_s = float("inf")
            try:
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return super().invoke(payload)
            print("the licence has expired", file=sys.stderr, flush=True)
            os._exit(3)
        return super().invoke(payload)


class Suspended(Sleeper):
    """After a second, the machine seems to have slept for an hour: two clocks have gone on, the monotonic has not."""

    HOUR_S = 3600

    def __init__(self) -> None:
        self._from_s = time.monotonic() + 1.0

    def invoke(self, payload: Payload) -> Outcome:
        if time.monotonic() > self._from_s:
            self._from_s = float("inf")
            boot_s, wall_s, wall_ns = probe.boot_s, time.time, time.time_ns
            probe.boot_s = lambda: boot_s() + self.HOUR_S
            time.time = lambda: wall_s() + self.HOUR_S
            time.time_ns = lambda: wall_ns() + self.HOUR_S * 10**9
        return super().invoke(payload)


class Hasty(Sleeper):
    """Where it is used, Locust sees a wall clock that is set forward all the time."""

    def __init__(self) -> None:
        import locust.runners

        begun_s = time.time()
        locust.runners.time = SimpleNamespace(time=lambda: begun_s + 1000 * (time.time() - begun_s))


class Unopenable:
    """Cannot even be made."""

    def __init__(self) -> None:
        raise RuntimeError("no such place")

    def invoke(self, payload: object) -> None: ...

    def close(self) -> None: ...

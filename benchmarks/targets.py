"""Target plug-ins for the benchmarks: one that only waits, and two around the real one.

`CountingTarget` counts for each user; `FreshTarget` never sends the same body twice.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.targets.base import Listener, Payload
from loadtest.targets.http.sagemaker import SageMakerTarget
from loadtest.targets.http.user import User

__all__ = ["CountingTarget", "FreshTarget", "SlowTarget"]


class SlowTarget:
    """Answers after `wait_s`, without a server."""

    def __init__(self, wait_s: float = 0.5, **_: Any) -> None:
        self._wait_s = wait_s

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = time.monotonic_ns()
        time.sleep(self._wait_s)
        done_ns = time.monotonic_ns()
        return Outcome(Kind.OK, 200, 0, sent_ns, done_ns, done_ns)

    def close(self) -> None:
        pass


class CountingTarget:
    """`sagemaker:bench`, counting each user's requests from `after_s` on; `close` writes them to `counts_path`."""

    def __init__(self, counts_path: str, after_s: float, **options: Any) -> None:
        self._real = SageMakerTarget("bench", options)
        self._path = counts_path
        self._from_s = time.monotonic() + after_s
        self._users: list[_CountingUser] = []

    def for_user(self) -> _CountingUser:
        user = _CountingUser(self._real.for_user(), self._from_s)
        self._users.append(user)
        return user

    def invoke(self, payload: Payload) -> Outcome:
        return self._real.invoke(payload)

    def close(self) -> None:
        Path(self._path).write_text(json.dumps([user.count for user in self._users]), encoding="ascii")
        self._real.close()


class _CountingUser:
    def __init__(self, real: User, from_s: float) -> None:
        self._real = real
        self._from_s = from_s
        self.count = 0

    def invoke(self, payload: Payload) -> Outcome:
        outcome = self._real.invoke(payload)
        if time.monotonic() >= self._from_s:
            self.count += 1
        return outcome

    def invoke_repeatedly(self, next_payload: Callable[[], Payload], listener: Listener) -> None:
        def counted() -> Payload:
            if time.monotonic() >= self._from_s:
                self.count += 1
            return next_payload()

        self._real.invoke_repeatedly(counted, listener)

    def close(self) -> None:
        self._real.close()


class FreshTarget:
    """`sagemaker:bench` with another body for each request, so that each is hashed and signed by itself."""

    def __init__(self, **options: Any) -> None:
        self._real = SageMakerTarget("bench", options)

    def for_user(self) -> _FreshUser:
        return _FreshUser(self._real.for_user())

    def invoke(self, payload: Payload) -> Outcome:
        return self._real.invoke(payload)

    def close(self) -> None:
        self._real.close()


class _FreshUser:
    def __init__(self, real: User) -> None:
        self._real = real
        self.close = real.close

    def invoke(self, payload: Payload) -> Outcome:
        return self._real.invoke(payload)

    def invoke_repeatedly(self, next_payload: Callable[[], Payload], listener: Listener) -> None:
        self._real.invoke_repeatedly(_fresh().__next__, listener)


def _fresh() -> Iterator[Payload]:
    """Bodies as long as the built-in one, no two alike."""
    return (Payload(b'{"instances": [[%04x]]}' % (number & 0xFFFF)) for number in itertools.count())

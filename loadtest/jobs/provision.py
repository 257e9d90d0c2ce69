"""The seam between a job and whoever makes the endpoints that it tests: one is provided for a test, and taken away.

    with provider.provide(Wanted(...)) as endpoint:      a container is started, AWS creates an endpoint, ...
        run = ... traffic to endpoint.target ...
        run = endpoint.completed(run)                     what only the endpoint's own side knows, while it is there
                                                          it is gone here, whatever happened
    run = endpoint.afterwards(run)                        what comes late, and needs no endpoint any more

`Fleet` (mock endpoints and the fleet file's targets) is one provider. Values and a protocol, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from loadtest.core.request.spec import JobSpec, LoadTest
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import TargetRef
from loadtest.jobs.fleet_model import Behaviour
from loadtest.jobs.rows import Tag
from loadtest.jobs.signal import StopSignal
from loadtest.jobs.subject import Subject

__all__ = ["OpenEndpoint", "Provider", "Wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint that a test needs.

    job_name, spec: of the job; `spec.request` has VpcConfig, VolumeKmsKeyId and all else as received. tags: the job's.
    test: which of the job's tests, with its configuration and environment, or the name of an existing endpoint.
    subject: the endpoint to be made, with its name (`sm-epc-<uuid4>`), or the existing one.
    say: tells progress, one line at a time, from any thread; it goes to the test's log and the screen.
    signal: asked when the job is to end: what waits for an endpoint then gives up and takes it away. A provider may ask
        it itself, where the whole job has to end (a budget).
    keep: takes (file name, document) for the test's folder, while its load runs; from any thread.
    """

    job_name: str
    spec: JobSpec
    test: LoadTest
    subject: Subject
    say: Callable[[str], None]
    signal: StopSignal
    tags: tuple[Tag, ...] = ()
    keep: Callable[[str, Any], object] = lambda name, document: None


def _as_it_is(result: RunResult) -> RunResult:
    return result


@dataclass(slots=True)
class OpenEndpoint:
    """An endpoint that can be invoked until it is closed; a context manager.

    subject: what it is. behaviour: how its model behaves; None: it is a real target, or its variants differ.
    instances: machines behind it. stand_in: a target of the fleet file stands in for it, so that nothing of the
    subject but its name is applied. info: plain JSON values that are added to `RunResult.info`.
    notes: what figures from it must be read with, a sentence each.
    completed: gives the test's result what is known of it only on the endpoint's side; called once, before the
    endpoint is closed. afterwards: the same, when it is gone: it may take minutes, which cost nothing.
    on_close: takes it away; what it raises (a LoadtestError) is noted, the result is kept.
    """

    subject: Subject
    target: TargetRef
    behaviour: Behaviour | None = None
    instances: int = 1
    stand_in: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    completed: Callable[[RunResult], RunResult] = _as_it_is
    afterwards: Callable[[RunResult], RunResult] = _as_it_is
    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        """Ends the endpoint's process, if it has one; may be called again."""
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()

    def __enter__(self) -> OpenEndpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Provider(Protocol):
    """Provides the endpoints of a job's tests. Called from several threads at once, one per test that runs.

    provide: entering it gives the endpoint, in service; leaving it takes the endpoint away, whatever happened. Entering
    raises LoadtestError, in the user's words (AWS's, say), if there will be none: that test fails with this text, the
    others go on. It may block as long as the endpoint takes, and heeds `wanted.signal` meanwhile.
    """

    def provide(self, wanted: Wanted, /) -> AbstractContextManager[OpenEndpoint]: ...

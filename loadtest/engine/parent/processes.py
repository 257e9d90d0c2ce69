"""The processes of one run, as their parent holds them: the mock endpoint, the generator or master, its workers.

No gevent here. Thread-safe, but for `open` and `close`, which one thread calls.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.engine.cluster.choice import EVERYTHING
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE
from loadtest.engine.messages import JOIN_S
from loadtest.engine.parent.asked import Asked
from loadtest.engine.parent.pool import WorkerPool
from loadtest.engine.parent.process import GeneratorProcess
from loadtest.mock.process import MockProcess
from loadtest.payload.s3 import local_payload

__all__ = ["MOCK_ENV", "RunProcesses"]

LOCAL_JOIN_S = 60.0  # for workers that are started here

# For a run against the mock. It accepts any signature, but botocore and our signer want some credentials to sign with.
MOCK_ENV = {
    "AWS_ACCESS_KEY_ID": "mock",
    "AWS_SECRET_ACCESS_KEY": "mock",
    "AWS_SESSION_TOKEN": "",
    "AWS_EC2_METADATA_DISABLED": "true",
    # It is on this machine, whatever the environment says of the way to others.
    "NO_PROXY": "*",
    "no_proxy": "*",
}
_MOCK_ENDPOINT = "mock"
# Nothing is signed for these, and a payload in S3 was fetched here: their generators get no keys.
_UNSIGNED = frozenset({"http", "https", "mock", "null"})


class RunProcesses:
    """The processes of one run. env: added to the environment of each. listen: where workers from elsewhere join; None:
    they are started here.
    """

    def __init__(self, env: Mapping[str, str], listen: tuple[str, int] | None) -> None:
        self._env = env
        self._listen = listen
        self._stack = ExitStack()
        self._lock = threading.RLock()  # a second signal may come while the handler of the first holds it
        self._child: GeneratorProcess | None = None
        self._pool: WorkerPool | None = None
        self._asked = Asked.NOTHING

    def open(self, plan: Plan) -> GeneratorProcess:
        """Start what the plan needs; its workers follow when the master listens. Returns who tells of the run."""
        env, aws = dict(self._env), plan.target.scheme not in _UNSIGNED
        if self._listen is None:  # else each worker fetches it to its own machine
            plan = replace(plan, payload=self._stack.enter_context(local_payload(plan.payload, plan.target.options)))
        if plan.target.is_mock:
            mock = MockProcess(MockSettings.parse(plan.target.rest))
            mock.start()
            self._stack.callback(mock.stop)
            plan, env = replace(plan, target=_at_mock(plan.target, mock.url)), {**env, **MOCK_ENV}
        if plan.workers > 1 and self._listen is None:
            # They are all ours: whoever else can reach the port does not know this.
            env = {**env, TOKEN_VARIABLE: secrets.token_urlsafe(32)}
        role: tuple[object, ...] = ()
        if self._listen is not None:
            role = ("master", *self._listen, plan.workers, JOIN_S)
        elif plan.workers > 1:
            role = ("master", "127.0.0.1", 0, plan.workers, LOCAL_JOIN_S)
        with self._lock:
            child = self._child = GeneratorProcess(*map(str, role), env=env, aws=aws)
            self._stack.callback(self._close_child)
            self._pool = self._stack.enter_context(WorkerPool({**env, **EVERYTHING.environment()}, aws=aws))
            child.send("plan", plan=plan.to_dict())
        if self._asked is Asked.KILL:
            self.kill()
        elif self._asked is Asked.STOP:
            self.stop()
        return child

    def start_workers(self, count: int, port: int) -> None:
        """Start `count` workers of the master that listens at `port` here, unless they come from elsewhere."""
        if self._listen is None and self._pool is not None:
            self._pool.start(count, port)

    def fallen(self) -> Sequence[str]:
        """Of each worker that was started here and ended on its own, with an error: what is known of it."""
        return () if self._pool is None else self._pool.fallen()

    def stop(self) -> None:
        """Ask for an end in order; if nothing runs yet, as soon as something does."""
        with self._lock:
            self._asked = max(self._asked, Asked.STOP)
            if self._child is not None:
                self._child.send("stop")

    def kill(self) -> None:
        """End them all at once."""
        with self._lock:
            self._asked = Asked.KILL
            if self._child is not None:
                self._child.kill()
            if self._pool is not None:
                self._pool.kill()

    def close(self) -> None:
        """Reap whatever was started."""
        self._stack.close()

    def _close_child(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()


def _at_mock(target: TargetRef, url: str) -> TargetRef:
    """The mock's endpoint as a SageMaker target: signed, as for the real service."""
    options = {"region": "us-east-1", **target.options, "endpoint_url": url}
    return TargetRef(f"sagemaker:{_MOCK_ENDPOINT}", options)

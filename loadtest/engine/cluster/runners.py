"""Locust's environment and its runners: local, master and worker. Runs in a patched process only."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import locust.runners
from locust.env import Environment
from locust.exception import RPCError, RPCReceiveError
from locust.runners import Runner

from loadtest.errors import EngineError, Problem, SpecError

_log = logging.getLogger(__name__)

__all__ = ["join_master", "listen_for_workers", "local_runner"]


def local_runner() -> Runner:
    """The runner of a run that this process makes alone."""
    return _environment().create_local_runner()


def listen_for_workers(host: str, port: int) -> Any:
    """The runner of a master that workers reach at `host` and `port`. Raises SpecError if it cannot listen there."""
    try:
        runner: Any = _environment().create_master_runner(host, port)
    except RPCError as problem:
        raise SpecError([Problem("--listen", f"{host}:{port}", f"cannot be listened on: {problem}")]) from problem
    _expect_garbage(runner)
    return runner


def _expect_garbage(runner: Any) -> None:
    """Locust expects two kinds of garbage; any other would end the greenlet that listens, and the run with it."""
    receive, handle = runner.server.recv_from_client, runner.handle_message

    def guarded_receive() -> tuple[str, Any]:
        try:
            client_id, message = receive()
        except RPCError:
            raise
        except Exception as problem:
            raise RPCReceiveError(f"garbage: {type(problem).__name__}") from problem
        if not isinstance(message.type, str) or message.node_id != client_id:
            raise RPCReceiveError("no message, or one in another's name")
        return client_id, message

    def guarded_handle(client_id: str, message: Any) -> None:
        try:
            handle(client_id, message)
        except Exception as problem:
            _log.warning("a message of %r was dropped: %s: %s", client_id, type(problem).__name__, problem)

    runner.server.recv_from_client, runner.handle_message = guarded_receive, guarded_handle


def join_master(host: str, port: int, within_s: float, heard: Callable[..., None]) -> Any:
    """The runner of a worker, once a master has answered. heard: called at each of its signs of life.

    Raises EngineError if none answers within `within_s`.
    """
    # Locust counts its attempts by a constant of the module.
    locust.runners.CONNECT_RETRY_COUNT = math.ceil(within_s / locust.runners.CONNECT_TIMEOUT)
    environment = _environment()
    environment.events.heartbeat_received.add_listener(heard)  # type: ignore[no-untyped-call]
    try:
        return environment.create_worker_runner(host, port)
    except ConnectionError as problem:
        raise EngineError(f"no run at {host}:{port} answered within {within_s:g} s") from problem


def _environment() -> Environment:
    """With none of Locust's own reports: our recorder measures."""
    return Environment(catch_exceptions=False)

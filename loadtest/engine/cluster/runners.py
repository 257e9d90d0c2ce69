"""Locust's environment and its runners: local, master and worker. Runs in a patched process only."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import locust.runners
import zmq.green
from locust.env import Environment
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import zmqrpc
from locust.runners import Runner, WorkerRunner

from loadtest.errors import EngineError, Problem, SpecError

_log = logging.getLogger(__name__)

MOST_BYTES = 1 << 24  # of a message; a window of 10,000 users that start has 0.5 MB
MOST_CLIENTS = 1000  # that have said that they are ready, whoever they are
FROM_WORKERS = frozenset(("client_ready", "heartbeat", "quit", "client_stopped"))  # Locust's own that are of use
FROM_MASTERS = frozenset(("ack", "heartbeat", "quit", "reconnect"))
OURS = "loadtest_"

_made: Any = zmqrpc.BaseSocket.__init__
_received: Any = zmqrpc.BaseSocket.recv
_handled: Any = WorkerRunner.handle_message

__all__ = ["join_master", "listen_for_workers", "local_runner"]


def local_runner() -> Runner:
    """The runner of a run that this process makes alone."""
    return _environment().create_local_runner()


def listen_for_workers(host: str, port: int) -> Any:
    """The runner of a master that workers reach at `host` and `port`. Raises SpecError if it cannot listen there."""
    _bound_sockets()
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
        while True:
            try:
                client_id, message = receive()
            except RPCError:
                raise
            except Exception as problem:
                raise RPCReceiveError(f"garbage: {type(problem).__name__}") from problem
            if not isinstance(message.type, str) or message.node_id != client_id:
                raise RPCReceiveError("no message, or one in another's name")
            if client_id not in runner.clients and len(runner.clients) >= MOST_CLIENTS:
                raise RPCReceiveError("one client too many")
            if _is_of_use(message, FROM_WORKERS):  # Locust's own statistics, every 3 s of each worker, are not
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
    _bound_sockets()
    _expect_little()
    try:
        return environment.create_worker_runner(host, port)
    except ConnectionError as problem:
        raise EngineError(f"no run at {host}:{port} answered within {within_s:g} s") from problem


def _bound_sockets() -> None:
    """A connection over which a longer message comes is closed. The limit holds for what is bound afterwards."""
    zmqrpc.BaseSocket.__init__ = _bounded_socket  # type: ignore[method-assign]


def _bounded_socket(self: Any, *args: Any, **kwargs: Any) -> None:
    _made(self, *args, **kwargs)
    self.socket.setsockopt(zmq.green.MAXMSGSIZE, MOST_BYTES)


def _expect_little() -> None:
    """A worker drops what it has no use for: whoever is the master could start Locust's own users here."""
    zmqrpc.BaseSocket.recv = _guarded_recv  # type: ignore[method-assign]
    WorkerRunner.handle_message = _guarded_handle  # type: ignore[method-assign, assignment]
    # By the wall clock: one that is set forward by a minute would send the worker home. `heard` is asked instead.
    WorkerRunner.heartbeat_timeout_checker = _unwatched  # type: ignore[method-assign, assignment]


def _unwatched(self: Any) -> None:
    """In place of Locust's own look for a master that is silent."""


def _guarded_recv(self: Any) -> Any:
    try:
        return _received(self)
    except RPCError:
        raise
    except Exception as problem:
        raise RPCReceiveError(f"garbage: {type(problem).__name__}") from problem


def _guarded_handle(self: Any, message: Any) -> None:
    try:
        if _is_of_use(message, FROM_MASTERS):
            _handled(self, message)
    except Exception as problem:
        _log.warning("a message was dropped: %s: %s", type(problem).__name__, problem)


def _is_of_use(message: Any, locusts: frozenset[str]) -> bool:
    return isinstance(message.type, str) and (message.type in locusts or message.type.startswith(OURS))


def _environment() -> Environment:
    """With none of Locust's own reports: our recorder measures."""
    return Environment(catch_exceptions=False)

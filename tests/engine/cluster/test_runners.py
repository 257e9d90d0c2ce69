"""Locust's runners, as far as they are used: no reports of its own, and no garbage that could end a run."""

from __future__ import annotations

from typing import Any

import locust.runners
import msgpack
import pytest
import zmq.green as zmq
from held_target import until
from patched import patched

from loadtest.engine.cluster.runners import MOST_BYTES, join_master, listen_for_workers, local_runner
from loadtest.errors import EngineError


def stranger(port: int, name: bytes) -> Any:
    """A socket that speaks ZeroMQ to the master, and nothing that Locust would."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, name)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


@patched
def test_a_run_alone_has_a_runner_without_an_interface() -> None:
    runner = local_runner()
    assert runner.environment.web_ui is None
    assert list(runner.user_greenlets) == []


@patched
def test_garbage_from_anybody_ends_no_master() -> None:
    master, heard = listen_for_workers("127.0.0.1", 0), []
    master.register_message("loadtest_hello", lambda environment, msg, **_: heard.append(msg.node_id))
    garbage = [
        b"nonsense",
        msgpack.packb(7),
        msgpack.packb(["loadtest_hello"]),
        msgpack.packb([7, {}, "bad"]),  # a kind that is no text
        msgpack.packb(["loadtest_hello", {}, "in another's name"]),
        msgpack.packb(["stats", {"not": "statistics"}, "bad"]),
        b"x" * (MOST_BYTES + 1),  # its connection is closed
    ]
    for number, data in enumerate(garbage):
        stranger(master.server.port, b"bad%d" % number).send(data)
    good = join_master("127.0.0.1", master.server.port, 10.0, lambda **_: None)
    good.send_message("loadtest_hello", {})
    until(lambda: heard)
    assert heard == [good.client_id]
    assert good.client_id in master.clients


@patched
def test_a_master_that_is_not_there() -> None:
    locust.runners.CONNECT_TIMEOUT = 0.25  # of each attempt
    gone = listen_for_workers("127.0.0.1", 0)
    port = gone.server.port
    gone.server.close()
    with pytest.raises(EngineError, match=f"no run at 127.0.0.1:{port} answered within 0.5 s"):
        join_master("127.0.0.1", port, 0.5, lambda **_: None)


@patched
def test_a_worker_obeys_no_command_of_locusts() -> None:
    """Whoever is the master could start Locust's own users here."""
    master = listen_for_workers("127.0.0.1", 0)
    worker = join_master("127.0.0.1", master.server.port, 10.0, lambda **_: None)
    heard: list[str] = []
    worker.register_message("loadtest_plan", lambda environment, msg, **_: heard.append(msg.type))
    master.send_message("spawn", {"user_classes_count": {"User": 3}}, worker.client_id)
    master.send_message("stop", None, worker.client_id)
    master.send_message("loadtest_plan", {}, worker.client_id)
    until(lambda: heard)
    assert (worker.state, worker.user_count) == ("ready", 0)

"""From a reference to an open target, plug-ins among them, and what is loaded on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from runtime_server import RuntimeServer

from loadtest.core.measure.outcome import Kind
from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import TargetError
from loadtest.targets.base import Payload, Target
from loadtest.targets.boto import client_of
from loadtest.targets.null import LATENCY_NS, NullTarget
from loadtest.targets.open import open_target


def open_ref(ref: str, **options: Any) -> Any:
    return open_target(TargetRef(ref, options), peak_users=3)


def test_the_null_target() -> None:
    target = open_ref("null:")
    assert type(target) is NullTarget
    assert isinstance(target, Target)
    outcomes = [target.invoke(Payload(b"x")) for _ in range(10)]
    target.close()
    assert {(o.kind, o.status, o.bytes_in, o.done_ns - o.sent_ns) for o in outcomes} == {(Kind.OK, 200, 0, LATENCY_NS)}
    assert [o.sent_ns for o in outcomes] == sorted(o.sent_ns for o in outcomes)


def test_a_mock_that_nobody_started() -> None:
    with pytest.raises(TargetError, match="mock:servers=4: the mock endpoint has not been started"):
        open_ref("mock:servers=4")


@pytest.mark.usefixtures("aws_env")
def test_boto3_with_a_pool_for_every_user(runtime: RuntimeServer) -> None:
    target = open_ref("boto3:ep", region="eu-west-1", endpoint_url=runtime.url, target_variant="blue", profile=None)
    assert target.invoke(Payload(b"ok")).ok
    target.close()
    assert ("X-Amzn-SageMaker-Target-Variant", "blue") in runtime.requests[0].headers
    assert client_of({"region": "eu-west-1"}, 3).meta.config.max_pool_connections == 3


@pytest.mark.parametrize(
    ("ref", "given", "kept"),
    [
        ("plugged:Good", {}, {}),
        ("plugged:Good", {"a": 1, "b": None}, {"a": 1}),
        ("plugged:Inner.Target", {"a": 1}, {"a": 1}),
        ("plugged:make", {"a": 1}, {"rest": "", "a": 1}),
        ("plugged:instance", {}, {}),
        ("plug:one:two", {"a": 1}, {"rest": "one:two", "a": 1}),
        ("plug", {}, {"rest": ""}),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_a_plugged_in_target_gets_its_options(ref: str, given: dict[str, Any], kept: dict[str, Any]) -> None:
    target = open_ref(ref, **given)
    assert target.options == kept
    assert target.invoke(Payload(b"")).ok
    target.close()


@pytest.mark.usefixtures("plugin")
def test_an_entry_point_does_not_take_the_place_of_a_built_in_target() -> None:
    assert type(open_ref("null:")) is NullTarget


@pytest.mark.parametrize(
    ("ref", "options", "says"),
    [
        ("plugged:Missing", {}, "cannot be imported: AttributeError"),
        ("plugged:Good.missing", {}, "cannot be imported: AttributeError"),
        (
            "plugged_badly:Good",
            {},
            "cannot be imported: ModuleNotFoundError: No module named 'a_module_that_is_nowhere'",
        ),
        ("plug-gone:x", {}, "cannot be imported: AttributeError"),
        ("plugged:Strict", {"a": 1}, "cannot be called as (a=...)"),
        ("plugged:Broken", {}, "cannot be made: RuntimeError: no luck"),
        ("plugged:Choosy", {}, "needs a model"),
        ("plugged:Endless", {}, "Endless is no target: it has no close()"),
        ("plugged:make_nothing", {}, "NoneType is no target: it has no invoke() and no close()"),
        ("plugged:number", {}, "is no target, so it was not called"),
        ("plugged:Slow", {}, "Slow.invoke must be a plain function, not async"),
        ("plugged:Deaf", {}, "Deaf.invoke must take one payload"),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_a_plug_in_that_cannot_be_opened(ref: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(TargetError) as refused:
        open_ref(ref, **options)
    assert says in str(refused.value)


# What is loaded

HEAVY = ("gevent", "locust", "boto3", "botocore", "httptools")

LOADED = f"""
import json, sys
from loadtest.core.traffic.plan import TargetRef
from loadtest.targets.open import check_target_ref, open_target
for ref in ("mock:servers=2", "sagemaker:e", "boto3:e", "http://127.0.0.1:1/", "null:", "plugged:Good", "plug:x"):
    check_target_ref(TargetRef(ref, {{}}))
open_target(TargetRef("null:"), peak_users=1).close()
print(json.dumps([name for name in {(*HEAVY, "plugged")!r} if name in sys.modules]))
"""


def test_a_check_loads_neither_gevent_nor_boto3_nor_the_plug_in(plugin: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, "PYTHONPATH": plugin},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == []


def test_a_module_of_the_working_folder_is_found(plugin: str) -> None:
    code = "from loadtest.targets.open import *; from loadtest.core.traffic.plan import TargetRef\n"
    code += "check_target_ref(TargetRef('plugged:Good'))"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=plugin, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


OPENED = """
from gevent import monkey
monkey.patch_all()
import sys
from loadtest.core.traffic.plan import TargetRef
from loadtest.core.measure.outcome import Kind
from loadtest.targets.base import Payload, PerUserTarget
from loadtest.targets.open import open_target
options = {"region": "eu-west-1", "endpoint_url": sys.argv[1], "target_variant": "blue"}
for ref, given in (("sagemaker:ep", options), ("boto3:ep", options), (sys.argv[1] + "/invocations", {})):
    target = open_target(TargetRef(ref, given), peak_users=2)
    user = target.for_user() if isinstance(target, PerUserTarget) else target
    outcome = user.invoke(Payload(b"ok", "text/plain"))
    print(ref.split(":")[0], outcome.kind.name, outcome.status, outcome.bytes_in)
    if user is not target:
        user.close()
    target.close()
"""


def test_the_targets_that_use_sockets_open_in_a_patched_process(
    aws_env: dict[str, str], runtime: RuntimeServer
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENED, runtime.url],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **aws_env},
    )
    assert done.stderr == ""
    assert done.stdout.split("\n") == ["sagemaker OK 200 12", "boto3 OK 200 12", "http OK 200 12", ""]
    assert [request.target for request in runtime.requests] == [
        "/endpoints/ep/invocations",
        "/endpoints/ep/invocations",
        "/invocations",
    ]

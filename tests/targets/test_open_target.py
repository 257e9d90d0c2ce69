"""References to targets: what is well formed, what opens, and what is said of the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_server import RuntimeServer

from loadtest.core.plan import TargetRef
from loadtest.core.record import Kind
from loadtest.errors import LoadtestError, SpecError, TargetError
from loadtest.targets.base import Payload, Target
from loadtest.targets.null import LATENCY_NS, NullTarget
from loadtest.targets.open import check_target_ref, open_target

PLUGIN = """
from loadtest.core.record import Kind, Outcome

class Good:
    def __init__(self, **options):
        self.options = options
    def invoke(self, payload):
        return Outcome(Kind.OK, 200, 0, 1, 2, 3)
    def close(self):
        pass

class Deaf(Good):
    def invoke(self):
        return None

class Slow(Good):
    async def invoke(self, payload):
        return None

class Endless:
    def invoke(self, payload):
        return None

class Strict(Good):
    def __init__(self):
        pass

class Broken(Good):
    def __init__(self):
        raise RuntimeError("no luck")

class Choosy(Good):
    def __init__(self):
        from loadtest.errors import TargetError
        raise TargetError("needs a model")

class Inner:
    Target = Good

def make(rest="", **options):
    return Good(rest=rest, **options)

def make_nothing():
    return None

instance = Good()
number = 7
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module `plugged` on the path, and a distribution whose entry point `plug` names its `make`."""
    (tmp_path / "plugged.py").write_text(PLUGIN)
    (tmp_path / "plugged_badly.py").write_text("import a_module_that_is_nowhere")
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[loadtest.targets]\nplug = plugged:make\nplug-gone = plugged:gone\nnull = plugged:make\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield str(tmp_path)
    sys.modules.pop("plugged", None)
    sys.modules.pop("plugged_badly", None)


def open_ref(ref: str, **options: Any) -> Any:
    return open_target(TargetRef(ref, options), peak_users=3)


def refusal(ref: str, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as refused:
        check_target_ref(TargetRef(ref, options))
    return [str(problem) for problem in refused.value.problems]


# The check


@pytest.mark.parametrize(
    ("ref", "options"),
    [
        ("null:", {}),
        ("null", {}),
        ("mock", {}),
        ("mock:", {}),
        ("mock:servers=4,service_ms=20,law=fixed,queue=1000,error_ratio=0,seed=1", {}),
        ("sagemaker:my-endpoint", {"region": "us-east-1", "endpoint_url": "http://127.0.0.1:8080", "stream": True}),
        ("SageMaker:my-endpoint", {}),
        ("sagemaker:" + "a" * 63, {"target_variant": None}),
        ("boto3:e", {"max_pool_connections": 10, "read_timeout_s": 0.5, "custom_attributes": "a=b; c"}),
        ("http://127.0.0.1:8080/invocations", {"connect_timeout_s": 1}),
        ("http://[::1]:8080", {}),
        ("HTTPS://example.test/a%20b?c=d", {"ca_file": "ca.pem"}),
        ("plugged:Good", {"anything": object()}),
        ("plugged:Inner.Target", {}),
        ("plug:whatever, even : this", {}),
        ("plug", {}),
        ("json.decoder:JSONDecoder", {}),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_a_good_reference_passes(ref: str, options: dict[str, Any]) -> None:
    check_target_ref(TargetRef(ref, options))


ENDPOINT_RULE = "an endpoint's name is 1 to 63 letters, digits and hyphens between them"


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("", "is no known kind of target"),
        ("nothing like it", "write mock:servers=4,service_ms=20, sagemaker:ENDPOINT, boto3:ENDPOINT"),
        ("sagmaker:my-endpoint", "did you mean sagemaker:ENDPOINT?"),
        ("sagmaker:endpoint", "did you mean sagemaker:ENDPOINT?"),
        ("boto:e", "did you mean boto3:ENDPOINT?"),
        ("htttp://x", "did you mean http://HOST:PORT/invocations"),
        ("plugg:x", "did you mean plug:"),
        ("a_module_that_is_nowhere.targets:Mine", "there is no module a_module_that_is_nowhere"),
        ("plugged:not-a-name", "is no known kind of target"),
        ("null:x=1", "the null target has no settings"),
        ("mock:server=4", "did you mean servers"),
        ("sagemaker:", ENDPOINT_RULE),
        ("sagemaker", ENDPOINT_RULE),
        ("sagemaker:a b", ENDPOINT_RULE),
        ("sagemaker:a-", ENDPOINT_RULE),
        ("sagemaker:a\n", ENDPOINT_RULE),
        ("sagemaker:" + "a" * 64, ENDPOINT_RULE),
        ("boto3:../x", ENDPOINT_RULE),
        ("http:", "the URL names no host"),
        ("http:///invocations", "the URL names no host"),
        ("http:host/x", "the URL names no host"),
        ("http://host:99999/", "is no URL"),
        ("http://host:x/", "is no URL"),
        ("http://[::1/", "is no URL"),
        ("http://host/a b", "percent-encode"),
        ("http://host/ü", "percent-encode"),
        ("http://host/\r\nX: y", "percent-encode"),
        ("http://host/#top", "a fragment is never sent"),
        ("http://me:secret@host/", "a URL with a password ends up in results"),
        ("http://me:secret@host:99999/", "is no URL"),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_a_bad_reference_is_refused_with_advice(ref: str, says: str) -> None:
    (line,) = refusal(ref)
    assert says in line
    assert "secret" not in line
    assert "\n" not in line
    with pytest.raises(LoadtestError):
        open_ref(ref)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("target_varient", "blue", "did you mean target_variant?"),
        ("xyz", 1, "the options are region, profile"),
        ("region", 1, "must be a text"),
        ("region", "", "must be a text"),
        ("read_timeout_s", 0, "must be a number of seconds above 0"),
        ("read_timeout_s", float("inf"), "must be a number of seconds above 0"),
        ("read_timeout_s", True, "must be a number of seconds above 0"),
        ("connect_timeout_s", "5", "must be a number of seconds above 0"),
        ("max_pool_connections", 1.5, "must be a whole number above 0"),
        ("stream", "yes", "must be true or false"),
        ("custom_attributes", "a\r\nX-Amz-Evil: 1", "it becomes a header"),
        ("target_model", "ü", "it becomes a header"),
        ("inference_id", "x" * 1025, "it becomes a header"),
        ("endpoint_url", "localhost:8080", "must be a URL"),
        ("endpoint_url", "http://h:99999", "is no URL"),
    ],
)
@pytest.mark.parametrize("ref", ["sagemaker:e", "boto3:e", "http://127.0.0.1:1/", "mock:"])
def test_a_bad_option_is_refused(ref: str, option: str, value: object, says: str) -> None:
    (line,) = refusal(ref, **{option: value})
    assert line.startswith(f"target.{option}: ")
    assert says in line


def test_every_problem_is_told_at_once() -> None:
    assert len(refusal("sagemaker:a b", regoin="x", stream=1, read_timeout_s=-1)) == 4


# Opening


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
    assert target._client.meta.config.max_pool_connections == 3


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
        ("plugged:number", {}, "int is no target: it has no invoke() and no close()"),
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
from loadtest.core.plan import TargetRef
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
    code = "from loadtest.targets.open import *; from loadtest.core.plan import TargetRef\n"
    code += "check_target_ref(TargetRef('plugged:Good'))"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=plugin, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


OPENED = """
from gevent import monkey
monkey.patch_all()
import sys
from loadtest.core.plan import TargetRef
from loadtest.core.record import Kind
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

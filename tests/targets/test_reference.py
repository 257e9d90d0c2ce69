"""References to targets: what is well formed, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import LoadtestError, SpecError
from loadtest.targets.open import open_target
from loadtest.targets.reference import check_target_ref


def refusal(ref: str, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as refused:
        check_target_ref(TargetRef(ref, options))
    return [str(problem) for problem in refused.value.problems]


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
        open_target(TargetRef(ref), peak_users=1)


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

"""The `sagemaker:` target sends what boto3 sends and says of every answer what boto3's exceptions say.

Both invoke the same server, in a patched process. Of a request everything is equal (method, path, query, body, names
and values of all headers, the signature's scope and list) but for this table, none of which changes an answer:

    Authorization          boto3's signature is of another second; both are recomputed here by botocore's own signer
    X-Amz-Date             the second of the request
    User-Agent             `Boto3/...` against `loadtest/...`; not signed
    amz-sdk-invocation-id  boto3 only: names the call for the service's log; not signed
    amz-sdk-request        boto3 only: which attempt it is, always the first; not signed
    Accept-Encoding        boto3 only: `identity`, http.client's default, the same as none; not signed
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from runtime_server import ACTIONS, RUNTIME_ERRORS, Request, RuntimeServer

pytestmark = pytest.mark.live

DRIVER = Path(__file__).with_name("invoke_driver.py")
ONLY_BOTO = {"amz-sdk-invocation-id", "amz-sdk-request", "accept-encoding"}
DIFFERENT = {"authorization", "x-amz-date", "user-agent"}
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<scope>[^,]+), SignedHeaders=(?P<signed>[^,]+), Signature=[0-9a-f]{64}"
)
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////token+with/odd=="

Told = dict[str, tuple[dict[str, Any], dict[str, Any]]]
Both = tuple[list[list[dict[str, Any]]], list[Request]]
Case = tuple[str, dict[str, Any], dict[str, str]]  # endpoint name, options, environment

HEADERS = {
    "accept": "text/csv",
    "custom_attributes": 'trace=1;  two  spaces, "quotes" \\ %20',
    "inference_component_name": "component",
    "inference_id": "id 1",
    "session_id": "NEW_SESSION",
    "target_container_hostname": "second",
    "target_variant": "blue",
}
CASES: list[Case] = [
    ("ep", {}, {}),
    ("a1-" * 20 + "end", {"region": "ap-southeast-2", "accept": "text/csv"}, {"AWS_SESSION_TOKEN": TOKEN}),
    ("ep", {**HEADERS, "target_model": "a b+c.tar.gz", "enable_explanations": "`content_type != 'text/csv'`"}, {}),
    ("ep", {**HEADERS, "stream": True}, {"AWS_SESSION_TOKEN": TOKEN}),
    ("ep", {"endpoint_url": "/some/prefix/"}, {}),
]
LATE = ("hang", "hang-in-body")
STREAMED = [action for action in ACTIONS if action.startswith("stream")]
GROUPS: list[tuple[list[str], dict[str, Any]]] = [
    ([action for action in ACTIONS if action not in (*LATE, *STREAMED)], {"read_timeout_s": 30}),
    (list(LATE), {"read_timeout_s": 0.3}),
    ([*STREAMED, *RUNTIME_ERRORS], {"read_timeout_s": 30, "stream": True}),
]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
CONTENT_TYPES = ("application/json", "text/csv", 'application/json; charset="utf-8"', "application/x-npy")
SIZES = (0, 1, 2, 55, 56, 64, 100, 1000, 5000, 70_000)


def bodies(word: str) -> list[tuple[str, str]]:
    """40 (hex body, content type) that the server answers as `word` says, one of them empty."""
    drawn = random.Random(1)
    made = [
        (f"{word} ".encode() + drawn.randbytes(size), content_type) for content_type in CONTENT_TYPES for size in SIZES
    ]
    if word == "ok":
        made[0] = (b"", made[0][1])
    return [(body.hex(), content_type) for body, content_type in made]


def invoke(runs: Iterable[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    nothing_else = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/dev/null")
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps(list(runs)),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **nothing_else, **CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "true"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def run_of(scheme: str, case: Case, url: str, payloads: list[tuple[str, str]]) -> dict[str, Any]:
    name, options, env = case
    given = {"region": "eu-west-1", **options, "endpoint_url": url + options.get("endpoint_url", "")}
    return {
        "ref": f"{scheme}:{name}",
        "options": given,
        "env": {"AWS_SESSION_TOKEN": "", **env},
        "payloads": payloads,
    }


def comparable(request: Request) -> dict[str, Any]:
    """A request without what may differ. A header given twice, or its name in other letters, would show."""
    headers = sorted((name, value) for name, value in request.headers if name.lower() not in ONLY_BOTO | DIFFERENT)
    found = AUTHORIZATION.fullmatch(dict(request.headers)["Authorization"])
    assert found is not None
    return {
        **request._asdict(),
        "headers": headers,
        "scope": re.sub(r"/\d{8}/", "/DATE/", found["scope"]),
        "signed": found["signed"],
    }


def botocore_signature(request: Request) -> str:
    """What botocore's signer makes of a request as it arrived, at the time that it carries."""
    headers = {name.lower(): value for name, value in request.headers}
    found = AUTHORIZATION.fullmatch(headers["authorization"])
    assert found is not None
    region, service = found["scope"].split("/")[2:4]
    signer = SigV4Auth(Credentials(*CREDENTIALS.values()), service, region)
    signed = {name: headers[name] for name in found["signed"].split(";")}
    url = f"http://{headers['host']}{request.target}"
    arrived = AWSRequest(request.method, url, signed, request.body, auth_path=None)
    arrived.context["timestamp"] = headers["x-amz-date"]
    return signer.signature(signer.string_to_sign(arrived, signer.canonical_request(arrived)), arrived)


@pytest.fixture(scope="module")
def both() -> Both:
    """Everything at once, since a process and its clients take longer than the requests: (outcomes, requests)."""
    server = RuntimeServer()
    runs = [
        run_of(scheme, case, server.url, bodies("stream" if case[1].get("stream") else "ok"))
        for scheme in ("boto3", "sagemaker")
        for case in CASES
    ]
    for scheme in ("boto3", "sagemaker"):
        for actions, options in GROUPS:
            payloads = [(action.encode().hex(), "text/csv") for action in actions]
            runs.append(run_of(scheme, ("ep", options, {}), server.url, payloads))
    found = invoke(runs)
    server.close()
    return found, server.requests


def test_the_same_two_hundred_requests(both: Both) -> None:
    found, requests = both
    half = len(CASES)
    theirs, ours = found[:half], found[half : 2 * half]
    assert {outcome["kind"] for outcomes in theirs + ours for outcome in outcomes} == {"ok"}
    assert [[o["bytes_in"] for o in each] for each in ours] == [[o["bytes_in"] for o in each] for each in theirs]
    assert {o["per_user"] for each in ours for o in each} == {True}
    for number, (their, our) in enumerate(zip(requests[:200], requests[200:400], strict=True)):
        assert comparable(our) == comparable(their), f"request {number}"
        assert not ONLY_BOTO & {name.lower() for name, _ in our.headers}
        assert {name.lower() for name, _ in our.headers} >= DIFFERENT


def test_every_signature_is_the_one_that_botocore_makes(both: Both) -> None:
    for request in both[1]:
        authorization = dict(request.headers)["Authorization"]
        assert authorization.endswith(f"Signature={botocore_signature(request)}")


def test_one_invocation_is_one_request_but_for_those_that_say_so(both: Both) -> None:
    resent = sum(bool(outcome["opening"] and outcome["opening"][4]) for outcome in chain.from_iterable(both[0]))
    assert resent == 1  # "close", after an answer on the same connection
    assert len(both[1]) == 400 + 2 * sum(len(actions) for actions, _ in GROUPS) + resent


# Of answers that break the protocol the two see the same kind, but not always the same detail, and botocore overlooks
# one. (action, of a stream) -> (ours, boto3's), each kind, status and detail.
DIFFERENT_OUTCOMES = {
    "no-http": (("malformed", 0, "bad status line: 'SSH-2.0-OpenSSH_9.6'"), ("malformed", 0, "http")),
    "many-headers": (("malformed", 0, "head too long"), ("malformed", 0, "http")),
    "bad-chunks": (
        ("malformed", 200, "bad chunk size at byte 0 of the body: 'zz'"),
        ("malformed", 200, "truncated"),
    ),
    "stream-truncated (stream)": (("malformed", 200, "truncated"), ("ok", 200, "")),
}


def _told(outcome: Mapping[str, Any]) -> tuple[str, int, str]:
    return outcome["kind"], outcome["status"], outcome["detail"]


@pytest.fixture(scope="module")
def told(both: Both) -> Told:
    """Every action of the server -> (our outcome, boto3's)."""
    theirs, ours = (list(chain.from_iterable(both[0][i:][:3])) for i in (-6, -3))
    names = [
        f"{action} (stream)" if "stream" in options else action for actions, options in GROUPS for action in actions
    ]
    return {name: (our, their) for name, our, their in zip(names, ours, theirs, strict=True)}


def test_every_status_and_error_of_the_runtime_api(told: Told) -> None:
    for action in (f"{action}{suffix}" for action in RUNTIME_ERRORS for suffix in ("", " (stream)")):
        ours, theirs = told[action]
        assert _told(ours) == _told(theirs), action
        assert ours["kind"] != "ok", action
        assert ours["bytes_in"] == theirs["bytes_in"], action


def test_successes_agree_in_bytes_and_the_endpoints_own_time(told: Told) -> None:
    good = {name: pair for name, pair in told.items() if pair[0]["kind"] == "ok"}
    assert len(good) == 9
    for name, (ours, theirs) in good.items():
        assert _told(ours) == _told(theirs), name
        assert (ours["bytes_in"], ours["model_latency_us"]) == (theirs["bytes_in"], theirs["model_latency_us"]), name
        assert (ours["gaps_ns"] is None) == (theirs["gaps_ns"] is None), name


def test_broken_answers_and_connections_agree_but_for_the_table(told: Told) -> None:
    differing = {
        name: (_told(ours), _told(theirs)) for name, (ours, theirs) in told.items() if _told(ours) != _told(theirs)
    }
    assert differing == DIFFERENT_OUTCOMES
    kinds = {ours["kind"] for ours, _ in told.values()}
    assert kinds == {
        "ok",
        "throttled",
        "model_error",
        "client_error",
        "credentials",
        "server_error",
        "timeout",
        "connection",
        "malformed",
    }

"""Our signatures against botocore's own, byte for byte, with the clock given."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loadtest.wire.sigv4 import Credentials, SignedTemplate, signing_key

HOST = "runtime.sagemaker.us-east-1.amazonaws.com"
# Every header that InvokeEndpoint and InvokeEndpointWithResponseStream can send (service model of sagemaker-runtime).
NAMES = [
    "Accept",
    "Content-Type",
    "X-Amzn-SageMaker-Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Enable-Explanations",
    "X-Amzn-SageMaker-Inference-Component",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Prefix-Aware-Id",
    "X-Amzn-SageMaker-Session-Id",
    "X-Amzn-SageMaker-Target-Container-Hostname",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Target-Variant",
    "User-Agent",
]
MIDNIGHT_S = 1_767_225_600  # 2026-01-01T00:00:00Z

values = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)
headers = st.dictionaries(st.sampled_from(NAMES), values, max_size=len(NAMES)).map(lambda found: list(found.items()))
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=90)
credentials = st.builds(
    Credentials, st.from_regex(r"[A-Z0-9]{16,32}", fullmatch=True), secrets, st.none() | secrets.filter(str.strip)
)
# As botocore puts a name into the path: percent-encoded, so that anything may stand in it.
paths = st.one_of(
    st.text(min_size=1, max_size=63).map(lambda name: f"/endpoints/{_quoted(name)}/invocations"),
    st.sampled_from(["/", "/endpoints/../x/./y//z/invocations", "/a/..", "/a%2Fb/%20/~x/", "/endpoints/a.b_c-d~e/i/"]),
)
times = st.integers(0, 4_102_444_800)
bodies = st.binary(max_size=3000)


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "surrogatepass"), safe="-._~")


def botocore_head(
    signer: Credentials, epoch_s: int, body: bytes, path: str, sent: list[tuple[str, str]], query: str = ""
) -> dict[str, str]:
    """The headers that botocore would send at that time: `SigV4Auth.add_auth`, whose clock is the wall's, by its steps."""
    url = f"https://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest("POST", url, headers=dict(sent), data=body)
    stamp = request.context["timestamp"] = datetime.fromtimestamp(epoch_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    theirs = BotoCredentials(signer.access_key, signer.secret_key, signer.token)
    auth = SigV4Auth(theirs, "sagemaker", "us-east-1")
    request.headers["X-Amz-Date"] = stamp
    if signer.token is not None:
        request.headers["X-Amz-Security-Token"] = signer.token
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    signed = f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}"
    authorization = f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, {signed}, Signature="
    request.headers["Authorization"] = authorization + auth.signature(to_sign, request)
    return {**dict(request.headers.items()), "Host": HOST, "Content-Length": str(len(body))}


def our_head(head: bytes, path: str, query: str = "") -> dict[str, str]:
    line, *fields = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert line == f"POST {path}{'?' + query if query else ''} HTTP/1.1"
    pairs = [field.split(": ", 1) for field in fields]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return {pair[0]: pair[1] for pair in pairs}


def template(
    signer: Credentials, path: str, sent: list[tuple[str, str]], query: str = "", **more: int
) -> SignedTemplate:
    return SignedTemplate(
        signer, region="us-east-1", service="sagemaker", host=HOST, path=path, headers=sent, query=query, **more
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(credentials, times, bodies, paths, headers)
@example(Credentials("AKID", "secret", "token//+=="), MIDNIGHT_S, b"", "/endpoints/caf%C3%A9/invocations", [])
@example(Credentials("AKID", "secret"), 0, b"\x00" * 2048, "/", [("Accept", "  two   spaces  "), ("User-Agent", "x")])
def test_every_head_is_botocores(
    signer: Credentials, epoch_s: int, body: bytes, path: str, sent: list[tuple[str, str]]
) -> None:
    ours = our_head(template(signer, path, sent).head(body, epoch_s), path)
    assert ours == botocore_head(signer, epoch_s, body, path, sent)


def test_one_template_over_seconds_midnight_and_bodies() -> None:
    signer, path = Credentials("AKID", "secret", "token"), "/endpoints/e/invocations"
    sent = [("Content-Type", "application/json")]
    signed = template(signer, path, sent)
    for epoch_s in (MIDNIGHT_S - 2, MIDNIGHT_S - 1, MIDNIGHT_S, MIDNIGHT_S + 1, MIDNIGHT_S - 1, MIDNIGHT_S + 86_400):
        for body in (b"", b"{}", b"x" * 5000, b"x" * 5000, b"y" * 5000):
            assert our_head(signed.head(body, epoch_s), path) == botocore_head(signer, epoch_s, body, path, sent)


def test_an_interpreter_without_its_own_sha256_signs_the_same() -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys({without}));"
        "from loadtest.wire.sigv4 import Credentials, SignedTemplate;"
        "signer = SignedTemplate(Credentials('AKID', 'secret'), region='r', service='s', host='h', path='/p');"
        "print(signer.head(b'{{}}', 1790000000))"
    )
    ours, others = (
        subprocess.run(
            [sys.executable, "-c", program.format(without=names)], capture_output=True, text=True, check=True
        ).stdout
        for names in ((), ("_sha2", "_sha256"))
    )
    assert ours == others
    assert "Signature=" in ours


def test_the_largest_body() -> None:
    signer, path, body = Credentials("AKID", "secret"), "/endpoints/e/invocations", bytes(range(256)) * 24576
    assert len(body) == 6 * 1024 * 1024
    signed = template(signer, path, [])
    for epoch_s in (MIDNIGHT_S, MIDNIGHT_S + 1):
        assert our_head(signed.head(body, epoch_s), path) == botocore_head(signer, epoch_s, body, path, [])


def test_remembered_hashes_follow_the_body_and_stay_bounded() -> None:
    signer, path = Credentials("AKID", "secret"), "/endpoints/e/invocations"
    signed = template(signer, path, [], remember_bytes=100_000)
    for i in range(40):  # freed bodies give their addresses to later ones
        body = bytes([i]) * 10_000
        assert our_head(signed.head(body, MIDNIGHT_S), path) == botocore_head(signer, MIDNIGHT_S, body, path, [])
    assert 1 <= signed.remembered <= 10


@pytest.mark.parametrize("query", ["a=1", "b=2&a=1", "a=2&a=1", "flag", "a=%20x&A=y"])
def test_a_query_is_signed(query: str) -> None:
    signer, path = Credentials("AKID", "secret"), "/base/endpoints/e/invocations"
    ours = our_head(template(signer, path, [], query).head(b"{}", MIDNIGHT_S), path, query)
    assert ours == botocore_head(signer, MIDNIGHT_S, b"{}", path, [], query)


def test_refreshed_credentials_sign_as_botocore_does_with_them() -> None:
    path = "/endpoints/e/invocations"
    for signer in (Credentials("AKOLD", "old", "t1"), Credentials("AKNEW", "new", "t2"), Credentials("AKPERM", "p")):
        ours = our_head(template(signer, path, []).head(b"{}", MIDNIGHT_S), path)
        assert ours == botocore_head(signer, MIDNIGHT_S, b"{}", path, [])


def test_a_proxy_sees_the_whole_url_and_its_own_header_which_is_not_signed() -> None:
    signer, path = Credentials("AKID", "secret"), "/endpoints/e/invocations"
    signed = SignedTemplate(
        signer,
        region="us-east-1",
        service="sagemaker",
        host=HOST,
        path=path,
        target=f"http://{HOST}{path}",
        proxy_headers=[("Proxy-Authorization", "Basic eDp5")],
    )
    ours = our_head(signed.head(b"", MIDNIGHT_S), f"http://{HOST}{path}")
    assert ours.pop("Proxy-Authorization") == "Basic eDp5"
    assert ours == botocore_head(signer, MIDNIGHT_S, b"", path, [])


def test_the_documented_signing_key() -> None:
    # AWS General Reference, "Examples of how to derive a signing key for Signature Version 4".
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_secrets_are_in_no_repr() -> None:
    assert "hidden" not in repr(Credentials("AKID", "hidden", "hidden"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("A B", "x"), ("", "x"), ("X", "a\r\nEvil: 1"), ("X", "a\nb"), ("X", "\x00"), ("host", "other"), ("X:", "y")],
)
def test_a_header_that_would_break_the_request_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="header"):
        template(Credentials("AKID", "secret"), "/", [(name, value)])


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/é", "/a\x7f"])
def test_a_path_that_would_break_the_request_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="request line"):
        template(Credentials("AKID", "secret"), path, [])

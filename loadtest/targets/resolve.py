"""What boto3 would send, and where: InvokeEndpoint's URL and headers resolved by botocore's own rules.

botocore builds and signs one request that is never sent (a `before-send` handler answers it). So region, FIPS, dual
stack, endpoint_url, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME and the profile mean exactly what they mean
to boto3, in whichever version is installed. Only the opening of a target imports this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config

from loadtest.errors import TargetError
from loadtest.targets.aws_session import aws_session
from loadtest.targets.credentials import NO_REGION, CredentialSource, credentials_of
from loadtest.targets.reference import url_problems

__all__ = ["PARAMETERS", "Endpoint", "resolve_endpoint"]

# Our option -> parameter of InvokeEndpoint; the body, the content type and the endpoint's name come apart.
PARAMETERS: Mapping[str, str] = {
    "accept": "Accept",
    "custom_attributes": "CustomAttributes",
    "enable_explanations": "EnableExplanations",
    "inference_component_name": "InferenceComponentName",
    "inference_id": "InferenceId",
    "session_id": "SessionId",
    "target_container_hostname": "TargetContainerHostname",
    "target_model": "TargetModel",
    "target_variant": "TargetVariant",
}

_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]*/\d{8}/([^/,]+)/([^/,]+)/aws4_request,")
# Made anew for each request, or of no use to the service.
_PER_REQUEST = frozenset(
    {
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "content-type",
        "user-agent",
        "x-amz-date",
        "x-amz-security-token",
        "x-amzn-trace-id",
    }
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go and what they carry.

    url: with path and query, percent-encoded. region, service: the signature's scope. headers: of every request,
    without Host, the content type and what a signature adds. ca_file: by AWS_CA_BUNDLE or the profile; None: neither.
    """

    url: str
    region: str
    service: str
    headers: tuple[tuple[str, str], ...]
    credentials: CredentialSource
    ca_file: str | None


def resolve_endpoint(name: str, options: Mapping[str, Any], credentials: CredentialSource | None = None) -> Endpoint:
    """The endpoint `name` under `options` (region, profile, endpoint_url, use_fips, use_dualstack, stream, PARAMETERS).

    credentials: instead of botocore's chain. Raises TargetError, in a sentence, without a region or credentials, and
    for what the service's model refuses.
    """
    session = aws_session(options.get("profile"), options.get("region"))
    try:
        if credentials is None:
            credentials = CredentialSource(credentials_of(session))
        else:
            known = credentials.current
            session.set_credentials(known.access_key, known.secret_key, known.token)
        client = session.create_client(
            "sagemaker-runtime",
            region_name=options.get("region"),
            endpoint_url=options.get("endpoint_url"),
            config=Config(
                retries={"total_max_attempts": 1},
                use_fips_endpoint=options.get("use_fips"),
                use_dualstack_endpoint=options.get("use_dualstack"),
            ),
        )
        request = _unsent_request(client, name, options)
    except botocore.exceptions.NoRegionError:
        raise TargetError(NO_REGION) from None
    except (botocore.exceptions.BotoCoreError, ValueError) as problem:  # ValueError: a malformed endpoint URL
        raise TargetError(f"the endpoint {name} cannot be resolved: {problem}") from problem
    return _endpoint_of(request, credentials, session.get_config_variable("ca_bundle"))


def _unsent_request(client: Any, name: str, options: Mapping[str, Any]) -> Any:
    """The signed request that botocore would send."""
    operation = "InvokeEndpointWithResponseStream" if options.get("stream") else "InvokeEndpoint"
    parameters = {PARAMETERS[option]: value for option, value in options.items() if option in PARAMETERS}
    parameters = {option: value for option, value in parameters.items() if value is not None}
    caught: list[Any] = []

    def catch(request: Any, **_: Any) -> AWSResponse:
        caught.append(request)
        headers: Any = HeadersDict()
        return AWSResponse(request.url, 400, headers, _NoBody())

    client.meta.events.register(f"before-send.sagemaker-runtime.{operation}", catch)
    try:
        call = client.invoke_endpoint_with_response_stream if options.get("stream") else client.invoke_endpoint
        call(EndpointName=name, Body=b"", ContentType="application/json", **parameters)
    except botocore.exceptions.ClientError:
        if not caught:  # not the answer of `catch`
            raise
    finally:
        client.close()
    return caught[0]


class _NoBody:
    """As much of an HTTP response's body as botocore reads of an error."""

    def stream(self, **_: Any) -> list[bytes]:
        return []


def _endpoint_of(request: Any, credentials: CredentialSource, ca_file: str | None) -> Endpoint:
    sent = {str(key): _text(value) for key, value in request.headers.items()}
    # The environment's and the profile's own URLs come here unchecked.
    if problems := [*url_problems(request.url)]:
        raise TargetError(f"the endpoint's address: {problems[0].rule} (got {problems[0].value})")
    scope = _SCOPE.match(sent.get("Authorization", ""))
    if scope is None or urlsplit(request.url).scheme not in ("http", "https"):
        raise TargetError(
            f"{request.url} is not signed by Signature Version 4 over HTTP, which is all that is spoken here"
        )
    headers = tuple((key, value) for key, value in sent.items() if key.lower() not in _PER_REQUEST)
    return Endpoint(request.url, scope[1], scope[2], headers, credentials, ca_file)


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)

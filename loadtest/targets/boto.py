"""InvokeEndpoint by boto3, as any AWS program would do it: the reference that our own target is compared with.

It is slow, and its clock starts before botocore builds and signs the request and stops when Python has the body, so its
latencies are those that a caller of boto3 sees. Retries are off: one invocation is one request.
botocore does not notice when the body of an error, or a stream with a Content-Length, ends early: such an answer stays
what its status says, where our own target calls it malformed.
Only `open_target` imports this module, in a process of the generator.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config
from botocore.validate import validate_parameters

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.errors import TargetError
from loadtest.targets.aws_session import aws_session
from loadtest.targets.base import Payload
from loadtest.targets.boto_errors import classify_exception, keep_error_bodies
from loadtest.targets.credentials import NO_REGION, credentials_of
from loadtest.targets.http.route import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from loadtest.targets.resolve import PARAMETERS

__all__ = ["BotoTarget", "client_of"]

_MODEL_LATENCY = "x-loadtest-model-latency-us"


class BotoTarget:
    """One boto3 client, shared by all users.

    options: region, profile, endpoint_url, use_fips, use_dualstack, ca_file, connect_timeout_s, read_timeout_s,
        max_pool_connections (default: peak_users), stream, and those in endpoint.PARAMETERS.
    facts: as in `KnownTarget`. Raises TargetError without region or credentials, and for options that the service's
    model refuses.
    """

    def __init__(self, endpoint_name: str, options: Mapping[str, Any], *, peak_users: int = 10) -> None:
        self._client = client_of(options, peak_users)
        keep_error_bodies(self._client)
        self._parameters: dict[str, Any] = {"EndpointName": endpoint_name}
        for option, parameter in PARAMETERS.items():
            if options.get(option) is not None:
                self._parameters[parameter] = options[option]
        self.facts = {"target_url": self._client.meta.endpoint_url, "target_region": self._client.meta.region_name}
        self._stream = bool(options.get("stream"))
        self._call: Callable[..., Any]
        if self._stream:
            self._call = self._client.invoke_endpoint_with_response_stream
            operation = "InvokeEndpointWithResponseStream"
        else:
            self._call = self._client.invoke_endpoint
            operation = "InvokeEndpoint"
        shape = self._client.meta.service_model.operation_model(operation).input_shape
        try:
            validate_parameters({**self._parameters, "Body": b""}, shape)
        except botocore.exceptions.ParamValidationError as problem:
            raise TargetError(f"boto3:{endpoint_name}: {operation} refuses the options: {problem}") from None

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = perf_counter_ns()
        answered = bytes_in = 0
        times_ns: list[int] = []
        try:
            answer = self._call(Body=payload.body, ContentType=payload.content_type, **self._parameters)
            head_ns = perf_counter_ns()
            told = answer["ResponseMetadata"]
            answered = told["HTTPStatusCode"]
            if self._stream:
                for event in answer["Body"]:
                    times_ns.append(perf_counter_ns())
                    bytes_in += len(event.get("PayloadPart", {}).get("Bytes", b""))
            else:
                bytes_in = len(answer["Body"].read())
        except Exception as problem:
            done_ns = perf_counter_ns()
            kind, detail, status, body_bytes = classify_exception(problem)
            status, bytes_in = status or answered, bytes_in or body_bytes
            return Outcome(kind, status, bytes_in, sent_ns, done_ns, done_ns, None, detail)
        done_ns = perf_counter_ns()
        first_ns, gaps_ns = head_ns, None
        if self._stream:
            first_ns = times_ns[0] if times_ns else done_ns
            gaps_ns = tuple(after - before for before, after in pairwise(times_ns))
        model_us = _model_latency_us(told["HTTPHeaders"])
        return Outcome(Kind.OK, answered, bytes_in, sent_ns, first_ns, done_ns, model_us, gaps_ns=gaps_ns)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()


def _model_latency_us(headers: Mapping[str, str]) -> int | None:
    told = headers.get(_MODEL_LATENCY, "")
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 15 else None


def client_of(options: Mapping[str, Any], peak_users: int) -> Any:
    """A sagemaker-runtime client by a target's options, with a connection for each user; it sends nothing twice.

    Raises TargetError without region or credentials.
    """
    ca_file = options.get("ca_file")
    if ca_file is not None and not os.path.isfile(ca_file):
        raise TargetError(f"ca_file: there is no file {ca_file}")
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=options.get("max_pool_connections") or max(peak_users, 1),
        connect_timeout=options.get("connect_timeout_s") or CONNECT_TIMEOUT_S,
        read_timeout=options.get("read_timeout_s") or READ_TIMEOUT_S,
        tcp_keepalive=True,
        use_fips_endpoint=options.get("use_fips"),
        use_dualstack_endpoint=options.get("use_dualstack"),
    )
    try:
        chain = aws_session(options.get("profile"), options.get("region"))
        session = boto3.session.Session(botocore_session=chain, region_name=options.get("region"))
        credentials_of(chain)
        return session.client(
            "sagemaker-runtime", endpoint_url=options.get("endpoint_url"), config=config, verify=ca_file
        )
    except botocore.exceptions.NoRegionError:
        raise TargetError(NO_REGION) from None
    except (botocore.exceptions.BotoCoreError, ValueError) as problem:  # ValueError: a malformed endpoint URL
        raise TargetError(f"boto3 cannot make a client: {problem}") from problem

"""boto3 clients of AWS's control plane for a target's options, and what they answer when they refuse, in words."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
from botocore.config import Config

from loadtest.aws.regions import misspelt
from loadtest.errors import TargetError, masked
from loadtest.targets.aws_session import aws_session
from loadtest.targets.classify import CREDENTIALS_CODES
from loadtest.targets.credentials import NO_REGION, REFUSED, credentials_of

__all__ = [
    "UNANSWERED",
    "Clients",
    "aws_words",
    "code_of",
    "is_absent",
    "is_forbidden",
    "is_unknown_sender",
    "is_unreachable",
    "status_of",
]

# What a call may raise besides TargetError.
UNANSWERED = REFUSED

_AS_XML = re.compile(r"<Code>([A-Za-z0-9.]{1,128})</Code>(?:\s*<Message>([^<]*)</Message>)?")
_UNREACHABLE = (
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ConnectTimeoutError,
    botocore.exceptions.ProxyConnectionError,
    botocore.exceptions.SSLError,
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
_ABSENT = frozenset({"ResourceNotFound", "ResourceNotFoundException", "ObjectNotFoundException"})


class Clients:
    """One client per service, made on first use. Thread-safe.

    options: region, profile, endpoint_url, ca_file of a target. An endpoint_url is taken for the control plane too (the
    emulator is one address for everything) unless it is AWS's own address of the runtime API.
    Raises TargetError without region or credentials.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        url = options.get("endpoint_url")
        host = urlsplit(str(url or "")).hostname or ""
        self.endpoint_url: str | None = None if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else url
        chain = aws_session(options.get("profile"), options.get("region"))
        self._session = boto3.session.Session(botocore_session=chain)
        if self._session.region_name is None:
            raise TargetError(NO_REGION)
        credentials_of(chain)

    @property
    def region(self) -> str:
        return str(self._session.region_name)

    def account(self) -> str | None:
        """Whose credentials these are: the number of an AWS account (STS GetCallerIdentity, which needs no permission);
        None: nobody says.
        """
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except (*UNANSWERED, TargetError, LookupError):
            return None

    def client(self, service: str = "sagemaker") -> Any:
        """The client of a service. Raises TargetError for an address that is none."""
        with self._lock:
            if service not in self._made:
                config = Config(
                    connect_timeout=5,
                    read_timeout=70 if service == "sagemaker-runtime" else 20,
                    retries={"total_max_attempts": 1 if service == "sagemaker-runtime" else 3, "mode": "standard"},
                )
                url = self._options.get("endpoint_url") if service == "sagemaker-runtime" else self.endpoint_url
                try:
                    made = self._session.client(
                        service, endpoint_url=url, config=config, verify=self._options.get("ca_file")
                    )
                    _check_port(made.meta.endpoint_url)
                    self._made[service] = made
                except (botocore.exceptions.BotoCoreError, ValueError) as problem:
                    raise TargetError(f"boto3 cannot make a client: {problem}") from problem
            return self._made[service]


def _check_port(url: str) -> None:
    """botocore looks at it when it signs, in the middle of a call. What stands there may be part of a password."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise TargetError("the endpoint's address has a port that is no number (a / or @ in a password?)") from None


def code_of(problem: Exception) -> str:
    """AWS's error code; "" if it is no answer of AWS."""
    return _error(problem)[0]


def _error(problem: Exception) -> tuple[str, str]:
    """(code, message), also of a refusal as XML where the protocol is JSON (moto's own, a gateway's)."""
    error = _answer(problem).get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message") or "")
    told = _AS_XML.search(message) if code.isdigit() else None
    return (code, message) if told is None else (told[1], told[2] or "")


def status_of(problem: Exception) -> int:
    """HTTP's status; 0 if it is no answer of AWS."""
    return int(_answer(problem).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answer(problem: Exception) -> Mapping[str, Any]:
    return getattr(problem, "response", None) or {}  # botocore's own failures to connect have one that is None


def aws_words(problem: Exception) -> str:
    """AWS's own words, with code and operation: `ResourceLimitExceeded when calling CreateEndpoint: ...`."""
    if not isinstance(problem, botocore.exceptions.ClientError):
        doubt = misspelt(str(problem)) if is_unreachable(problem) else ""
        return masked("; ".join(filter(None, [f"{type(problem).__name__}: {problem}", doubt])))
    code, message = _error(problem)
    return masked(f"{code} when calling {problem.operation_name}: {message or 'without a reason'}")


def is_unreachable(problem: Exception) -> bool:
    """Nobody takes the connection: no such name, no way there, a refusal, a certificate that is not trusted."""
    return isinstance(problem, _UNREACHABLE)


def is_absent(problem: Exception) -> bool:
    """The thing that was asked for is not there; SageMaker says so by ValidationException and its words."""
    text = _error(problem)[1]
    return code_of(problem) in _ABSENT or (
        code_of(problem) in ("ValidationException", "ValidationError")
        and any(words in text.lower() for words in ("could not find", "does not exist", "not found", "no such"))
    )


def is_forbidden(problem: Exception) -> bool:
    """The sender is known and may not do this."""
    return code_of(problem) in _FORBIDDEN


def is_unknown_sender(problem: Exception) -> bool:
    """The credentials are none, or no longer: a wrong signature, an unknown key, an expired token."""
    return code_of(problem) in CREDENTIALS_CODES - _FORBIDDEN

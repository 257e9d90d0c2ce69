"""botocore's session as every part here opens it: nobody is asked for a code, credentials end when they are said to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, CredentialRetrievalError

from loadtest.errors import TargetError

__all__ = ["aws_session"]

_ROLE, _INSTANCE = "assume-role", "iam-role"
_NO_CODE = (
    "the role wants a code of {device}, and nobody is there to enter one, now or when it is to be assumed again: "
    "assume it yourself, and give its credentials by the environment "
    "(`aws configure export-credentials --profile NAME --format env`)"
)


def aws_session(profile: str | None = None, region: str | None = None) -> Any:
    """A session with botocore's own chain of credentials. profile, region: None: botocore's own choice.

    A role that wants an MFA code is a CredentialRetrievalError when it is used (botocore would ask the terminal, and
    wait). Raises TargetError for a profile that is not there, and a configuration that cannot be read.
    """
    logging.getLogger("botocore.credentials").addFilter(_without_traceback)
    session = botocore.session.Session(profile=profile)
    try:
        providers = session.get_component("credential_provider").providers
    except BotoCoreError as problem:
        raise TargetError(f"the AWS configuration is of no use: {problem}") from problem
    if region is not None:
        session.set_config_variable("region", region)  # STS of the same region is asked, too
    for provider in providers:
        if provider.METHOD == _ROLE:
            provider._prompter = _refuse_code
        elif provider.METHOD == _INSTANCE:
            fetcher = provider._role_fetcher
            fetcher._evaluate_expiration = _only_expired(fetcher._evaluate_expiration)
    return session


def _without_traceback(record: logging.LogRecord) -> bool:
    """A refresh that fails is a line of a log, not a page of it."""
    record.exc_info = None
    return True


def _refuse_code(prompt: str) -> str:
    device = prompt.partition(" for ")[2].rstrip(": ") or "an MFA device"
    raise CredentialRetrievalError(provider=_ROLE, error_msg=_NO_CODE.format(device=device))


def _only_expired(extend: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """botocore takes an instance's credentials that end within 25 minutes for good for 17 to 25 minutes more (utils.py,
    InstanceMetadataFetcher): requests would be signed with expired ones before it asks again. That helps only while the
    service hands out nothing but expired ones, which AWS may then take all the same.
    """

    def evaluate(credentials: dict[str, Any]) -> None:
        if _has_expired(credentials):
            extend(credentials)

    return evaluate


def _has_expired(credentials: Mapping[str, Any]) -> bool:
    try:
        return datetime.fromisoformat(credentials["expiry_time"]) <= datetime.now(UTC)
    except (LookupError, TypeError, ValueError):
        return False

"""The flags that say by whom, where and how an AWS account is asked, for every verb that asks one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["account_flags", "account_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

# Parameter -> name in TargetRef.options.
_NAMES = {"region": "region", "aws_profile": "profile", "endpoint_url": "endpoint_url", "ca_file": "ca_file"}


def account_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as keyword arguments for `account_options`."""
    there = click.Path(exists=True, dir_okay=False)
    command = click.option("--ca-file", type=there, help="Certificates to trust instead of the system's.")(command)
    command = click.option("--endpoint-url", help="Address of the API instead of AWS's own (an emulator's).")(command)
    text = "Profile of the AWS configuration that holds the credentials."
    command = click.option("--aws-profile", help=text)(command)
    return click.option("--region", help="AWS region.")(command)


def account_options(given: dict[str, Any]) -> dict[str, Any]:
    """What was given, by the names of `TargetRef.options`; taken out of `given`."""
    found = {option: given.pop(name) for name, option in _NAMES.items()}
    return {option: value for option, value in found.items() if value}

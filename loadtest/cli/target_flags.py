"""The flags that say how a target is reached, for every verb that opens one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from loadtest.cli.duration import DURATION

__all__ = ["target_flags", "target_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

# flag -> (name in TargetRef.options, type, help); a flag's parameter is its option's name with "target_" before it
# where click would mistake it for another.
_FLAGS: tuple[tuple[str, str, Any, str], ...] = (
    ("--region", "region", str, "AWS region."),
    ("--aws-profile", "profile", str, "Profile of the AWS configuration that holds the credentials."),
    ("--endpoint-url", "endpoint_url", str, "Address of the runtime API instead of AWS's own."),
    ("--target-variant", "target_variant", str, "TargetVariant of InvokeEndpoint."),
    ("--target-model", "target_model", str, "TargetModel of InvokeEndpoint."),
    ("--target-container-hostname", "target_container_hostname", str, "TargetContainerHostname of InvokeEndpoint."),
    ("--inference-component-name", "inference_component_name", str, "InferenceComponentName of InvokeEndpoint."),
    ("--custom-attributes", "custom_attributes", str, "CustomAttributes of InvokeEndpoint."),
    ("--accept", "accept", str, "Accept header of every request."),
    ("--ca-file", "ca_file", str, "Certificates to trust instead of the system's."),
    ("--connect-timeout", "connect_timeout_s", DURATION, "For a connection to be made."),
    (
        "--read-timeout",
        "read_timeout_s",
        DURATION,
        "For an answer to be complete, or the next part of a streamed one.  [default: 70s]",
    ),
)


def target_flags(command: Command) -> Command:
    """Decorator: adds the flags; the command gets them as keyword arguments for `target_options`."""
    for flag, name, kind, text in reversed(_FLAGS):
        command = click.option(flag, f"option_{name}", type=kind, help=text)(command)
    command = click.option(
        "--strict-http", "option_strict_http", is_flag=True, help="Answers by the letter of RFC 9112, else malformed."
    )(command)
    return click.option(
        "--stream", "option_stream", is_flag=True, help="InvokeEndpointWithResponseStream; adds TTFB and inter-chunk."
    )(command)


def target_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, by their names in `TargetRef.options`."""
    return {name.removeprefix("option_"): value for name, value in given.items() if value not in (None, False)}

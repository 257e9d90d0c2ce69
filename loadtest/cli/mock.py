"""`loadtest mock`: a mock model endpoint as a server of its own."""

from __future__ import annotations

from typing import Any

import click

from loadtest.mock.options import OPTIONS, Option, run

__all__ = ["command"]


def _option(option: Option) -> click.Option:
    if option.kind is bool:
        return click.Option([option.flag], is_flag=True, help=option.help)
    return click.Option(
        [option.flag],
        type=click.Choice(option.choices) if option.choices else option.kind,
        default=option.default,
        show_default=option.default not in ("", None),
        help=option.help,
    )


def _serve(**values: Any) -> None:
    click.get_current_context().exit(run(values))


command = click.Command(
    "mock",
    callback=_serve,
    params=[_option(option) for option in OPTIONS],
    short_help="Serve a mock model endpoint with a known capacity.",
    help="""Serve a mock model endpoint, shaped like the SageMaker runtime, until interrupted.

    Its URL is the first line on stdout. It serves POST /endpoints/NAME/invocations and
    /endpoints/NAME/invocations-response-stream, POST /invocations, GET /ping and GET /loadtest/stats.
    With N closed-loop users and a fixed service time it serves min(N, servers) / service time.
    """,
)

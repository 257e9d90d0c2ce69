"""What click says of a wrong command line: without passwords, at a length that can be read, and in words."""

from __future__ import annotations

import re

import click

from loadtest.errors import readable

__all__ = ["usage_words"]

_NO_NUMBER = re.compile(r"is not a valid (integer|float)( range)?\.")


def usage_words(error: click.UsageError) -> str:
    """The message of `error`, as it may be shown."""
    text = readable(error.format_message())
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param is not None else None
    bounds = _bounds(kind) if isinstance(kind, (click.IntRange, click.FloatRange)) else ""
    return _NO_NUMBER.sub(lambda match: f"is not a {'whole ' if match[1] == 'integer' else ''}number{bounds}.", text)


def _bounds(kind: click.IntRange | click.FloatRange) -> str:
    low = "" if kind.min is None else f" {'above' if kind.min_open else 'from'} {kind.min:g}"
    high = "" if kind.max is None else f" {'below' if kind.max_open else 'to'} {kind.max:g}"
    return low + high

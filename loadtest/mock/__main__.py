"""`python -m loadtest.mock`: the mock endpoint without the rest of the command line, which would start slower."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from loadtest.mock.options import OPTIONS, run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to end; the exit code."""
    parser = argparse.ArgumentParser(
        "python -m loadtest.mock", description="A mock model endpoint.", allow_abbrev=False
    )
    for option in OPTIONS:
        if option.kind is bool:
            parser.add_argument(option.flag, action="store_true", help=option.help)
        else:
            choices = option.choices or None
            parser.add_argument(
                option.flag, type=option.kind, default=option.default, choices=choices, help=option.help
            )
    return run(vars(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())

"""The door to the emulator for those who may not have it: it needs the packages of the extra `loadtest[emulator]`."""

from __future__ import annotations

import importlib
from types import ModuleType

from loadtest.errors import Problem, SpecError

__all__ = ["emulator_server"]

PACKAGES = frozenset({"urllib3", "waitress"})  # without which it does not start; moto may be replaced by an upstream


def emulator_server() -> ModuleType:
    """The module loadtest.emulator.server. Raises SpecError if a package that it needs is not installed."""
    try:
        return importlib.import_module("loadtest.emulator.server")
    except ModuleNotFoundError as problem:
        if problem.name not in PACKAGES:
            raise
        rule = f"needs the package {problem.name}, which is not installed"
        raise SpecError([Problem("the emulator", "", rule, "pip install 'loadtest[emulator]'")]) from None

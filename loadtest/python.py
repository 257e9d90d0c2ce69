"""How a Python process of ours is started: with our own package, and with nothing from the working folder by accident.

`python -m` puts the working folder, and PYTHONPATH any other, before the standard library: a file there that is called
random.py, json.py or loadtest.py would take the place of the module of that name, and one called brotli.py of a module
that a library would like to have and does without. So a child is started with `-P`, is told where this very package
lies, and searches what its parent can import only after everything else. The working folder is no place to search
until a plug-in target, `package.module:Name`, is asked for (`search_working_folder`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["child_environment", "python_command", "search_working_folder", "without_secrets"]

_ROOT = str(Path(__file__).parent)
_BOOT = """
import importlib.util, os, runpy, sys
root, paths, module = sys.argv[1:4]
del sys.argv[1:4]
spec = importlib.util.spec_from_file_location(
    "loadtest", os.path.join(root, "__init__.py"), submodule_search_locations=[root])
sys.modules["loadtest"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["loadtest"])
sys.path += [path for path in paths.split(os.pathsep) if path and path not in sys.path]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
# Beginnings of the names that a process needs which speaks to nobody: where programs, libraries and files are, ...
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "PYTHON",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "DYLD_",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "COVERAGE_",
    "COV_CORE_",
    "LOADTEST_BLOCKED_LIMIT_S",
)

# What AWS credentials come from in an environment. A profile's name is none, and may say the region.
_AWS_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_BEARER_TOKEN",
    "AWS_CONTAINER_",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)

# Whose values are secrets themselves; the environment that a process was started with is shown by `ps` and /proc.
_SECRET = (*_AWS_KEYS[:5], "AWS_CONTAINER_AUTHORIZATION_TOKEN", "LOADTEST_TOKEN")


def python_command(module: str, *arguments: str) -> list[str]:
    """The command of a child that runs `module` of this package, as `python -m` would."""
    paths = os.pathsep.join(path for path in sys.path if path)
    return [sys.executable, "-P", "-c", _BOOT, _ROOT, paths, module, *arguments]


def search_working_folder() -> None:
    """From now on modules are found in the working folder, too, after everywhere else: a plug-in and its own."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def child_environment(
    extra: Mapping[str, str] | None = None, *, secrets: bool = True, aws: bool = True
) -> dict[str, str]:
    """This process' environment and `extra`. secrets: all of it; False: what holds no keys. aws: False: no AWS keys."""
    kept = {name: value for name, value in os.environ.items() if secrets or name.upper().startswith(_INHERITED)}
    if not aws:
        kept = {name: value for name, value in kept.items() if not name.upper().startswith(_AWS_KEYS)}
    return {**kept, **(extra or {})}


def without_secrets(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """An environment in two parts: what a process may be started with, and the keys, which it is told by a pipe."""
    secret = {
        name: value
        for name, value in environment.items()
        if name.upper().startswith(_SECRET) and not name.upper().endswith("_FILE")
    }
    return {name: value for name, value in environment.items() if name not in secret}, secret

"""Test files that run in a gevent-patched process, as the generator's modules do: one process for all tests of a file.

What they import would patch pytest's own process (Locust does that), so it only reads them. A file says that it is one
by `from patched import patched`; its tests are the functions with that decorator, and take no fixtures.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

__all__ = ["PatchedFile", "is_patched", "patched"]

LIMIT_S = 120
_BOOT = """
from gevent import monkey
monkey.patch_all()
import importlib.util, json, os, sys, traceback
import gevent
answers = os.dup(1)
os.dup2(2, 1)  # whatever else is printed
spec = importlib.util.spec_from_file_location("patched_tests", sys.argv[1])
here = sys.modules["patched_tests"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)
failures = {}
for name, test in list(vars(here).items()):
    if hasattr(test, "runs_patched"):
        try:
            with gevent.Timeout(20):
                test()
        except BaseException:
            failures[name] = traceback.format_exc()
        else:
            failures[name] = ""
os.write(answers, json.dumps(failures).encode())
os._exit(0)  # greenlets that a failed test left behind
"""


def patched(test: Callable[[], None]) -> Callable[[], None]:
    """Decorator of a test of such a file."""
    test.runs_patched = True  # type: ignore[attr-defined]
    return test


def is_patched(path: Path) -> bool:
    return "\nfrom patched import patched\n" in path.read_text()


class PatchedFile(pytest.File):
    """Runs all of the file's tests when the first one is asked for."""

    _failures: dict[str, str] | None = None

    def collect(self) -> Iterator[pytest.Item]:
        for node in ast.parse(self.path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and "patched" in map(ast.unparse, node.decorator_list):
                yield _PatchedTest.from_parent(self, name=node.name)

    def failure(self, name: str) -> str:
        """The traceback of a test; "": it passed."""
        if self._failures is None:
            self._failures = _run(self.path)
        return self._failures[name]


class _PatchedTest(pytest.Item):
    def runtest(self) -> None:
        assert isinstance(self.parent, PatchedFile)
        failure = self.parent.failure(self.name)
        if failure:
            pytest.fail(failure, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


def _run(path: Path) -> dict[str, str]:
    # Not the working folder, as for the children of a run: a plug-in is searched there when it is asked for.
    places = os.pathsep.join([str(Path(__file__).parent), *(place for place in sys.path if place)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", _BOOT, str(path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "PYTHONPATH": places},
    )
    if done.returncode or not done.stdout:
        pytest.fail(f"exit code {done.returncode}\n{done.stderr}", pytrace=False)
    found: dict[str, str] = json.loads(done.stdout)
    return found

"""A scripted server, an AWS environment that looks at nothing of this machine, and a plug-in to be found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runtime_server import RuntimeServer

AWS_ENV = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@pytest.fixture
def runtime() -> Iterator[RuntimeServer]:
    server = RuntimeServer()
    yield server
    server.close()


@pytest.fixture
def aws_env(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Credentials and nothing else: no region, no files, no metadata service, no proxy."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in AWS_ENV.items():
        monkeypatch.setenv(name, value)
    return AWS_ENV


PLUGIN = """
from loadtest.core.measure.outcome import Kind, Outcome

class Good:
    def __init__(self, **options):
        self.options = options
    def invoke(self, payload):
        return Outcome(Kind.OK, 200, 0, 1, 2, 3)
    def close(self):
        pass

class Deaf(Good):
    def invoke(self):
        return None

class Slow(Good):
    async def invoke(self, payload):
        return None

class Endless:
    def invoke(self, payload):
        return None

class Strict(Good):
    def __init__(self):
        pass

class Broken(Good):
    def __init__(self):
        raise RuntimeError("no luck")

class Choosy(Good):
    def __init__(self):
        from loadtest.errors import TargetError
        raise TargetError("needs a model")

class Inner:
    Target = Good

def make(rest="", **options) -> Good:
    return Good(rest=rest, **options)

def make_nothing() -> Good:
    return None

instance = Good()
number = 7
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module `plugged` on the path, and a distribution whose entry point `plug` names its `make`."""
    (tmp_path / "plugged.py").write_text(PLUGIN)
    (tmp_path / "plugged_badly.py").write_text("import a_module_that_is_nowhere")
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[loadtest.targets]\nplug = plugged:make\nplug-gone = plugged:gone\nnull = plugged:make\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield str(tmp_path)
    sys.modules.pop("plugged", None)
    sys.modules.pop("plugged_badly", None)

"""The group of verbs: help without imports, verbs that are not there, and errors as messages and exit codes."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from loadtest.cli import VERBS, Verb, VerbGroup
from loadtest.errors import EngineError, Problem, SpecError, TargetError
from loadtest.version import VERSION

HEAVY = ("gevent", "locust", "boto3", "botocore", "moto")


def test_help_names_every_verb(invoke):
    result = invoke("--help")
    assert result.exit_code == 0
    for name, verb in VERBS.items():
        assert f"  {name} " in result.stdout
        assert verb.summary in result.stdout


def test_version(invoke):
    assert invoke("--version").stdout == f"loadtest, version {VERSION}\n"


def test_an_unknown_verb(invoke):
    result = invoke("vaildate")
    assert result.exit_code == 2
    assert "No such command 'vaildate'" in result.stderr


@pytest.mark.parametrize(
    "args", [["--help"], ["validate", "--help"], ["preview", "--help"]], ids=lambda args: " ".join(args)
)
def test_light_verbs_load_nothing_heavy(args):
    code = (
        "import sys\nfrom loadtest.cli import main\n"
        f"main({args!r}, standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.endswith("[]\n")


def group(module: str) -> VerbGroup:
    return VerbGroup("loadtest", verbs={"verb": Verb(module, "Does something.")})


def test_a_verb_that_is_not_installed_is_a_usage_error():
    result = CliRunner().invoke(group("loadtest.cli.no_such_module"), ["verb"])
    assert result.exit_code == 2
    assert "no verb 'verb'" in result.stderr
    assert CliRunner().invoke(group("loadtest.cli.no_such_module"), ["--help"]).exit_code == 0


def test_a_verb_whose_own_import_fails_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "broken_verb.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = CliRunner().invoke(group("broken_verb"), ["verb"])
    assert isinstance(result.exception, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (
            SpecError([Problem("a", "1", "is bad"), Problem("b", "", "is worse", "do c")]),
            2,
            "a: is bad (got 1)\nb: is worse; do c\nSpecError: see docs/troubleshooting.md#specerror\n",
        ),
        (
            TargetError("cannot be opened"),
            2,
            "cannot be opened\nTargetError: see docs/troubleshooting.md#targeterror\n",
        ),
        (EngineError("was lost"), 1, "was lost\nEngineError: see docs/troubleshooting.md#engineerror\n"),
    ],
)
def test_errors_become_a_message_and_an_exit_code(error, exit_code, message):
    verbs = group("-")

    @click.command()
    def verb():
        raise error

    verbs.add_command(verb, "direct")
    verbs.get_command = lambda ctx, name: verb
    result = CliRunner().invoke(verbs, ["direct"])
    assert (result.exit_code, result.stderr, result.stdout) == (exit_code, message, "")

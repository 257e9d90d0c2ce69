"""Completion in a shell: what the shell's script asks for, and a real bash that loads it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from loadtest.cli import VERBS

HEAVY = ("gevent", "locust", "boto3", "botocore", "moto", "numpy", "rich")


def _complete(*words: str) -> list[str]:
    code = "import sys; sys.argv[0] = 'loadtest'; from loadtest.cli import main; main(prog_name='loadtest')"
    asked = {
        "_LOADTEST_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("loadtest", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked})
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("val",), ["plain,validate"]),
        (("run", "--stai"), ["plain,--stairs", "plain,--stairs-duration"]),
        (("run", "--spawn", "sm"), ["plain,smooth"]),
        (("run", "job"), ["file,job"]),
        (("init", "--fo"), ["plain,--force"]),
        (("--vers",), ["plain,--version"]),
        (("nothing-like-it",), []),
    ],
)
def test_what_is_offered(words: tuple[str, ...], found: list[str]) -> None:
    assert _complete(*words) == found


def test_every_verb_is_offered_without_importing_any() -> None:
    assert _complete("") == [f"plain,{name}" for name in VERBS]
    code = (
        "import sys, click\nfrom loadtest.cli import main\n"
        "main.shell_complete(click.Context(main), '')\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    asked = {**os.environ, "_LOADTEST_COMPLETE": f"{shell}_source"}
    code = "from loadtest.cli import main; main(prog_name='loadtest')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=asked)
    assert "_LOADTEST_COMPLETE" in done.stdout, done.stderr
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)

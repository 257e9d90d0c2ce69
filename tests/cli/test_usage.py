"""What is said of a command line that is none."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.cli import VERBS

LONG = "x" * 5000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("serve", "--port", "abc"), "'abc' is not a whole number from 0 to 65535."),
        (("mock", "--servers", "1.5"), "'1.5' is not a whole number."),
        (("mock", "--service-ms", "fast"), "'fast' is not a number."),
        (("run", "a", "http://u:secret@h/"), "unexpected extra argument (http://...@h/)"),
        (("run", "--window", LONG), "(5,000 characters)"),
        ((LONG,), "(5,000 characters)"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_words(line: tuple[str, ...], said: str, invoke: Any) -> None:
    found = invoke(*line)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "secret" not in found.stderr
    assert len(found.stderr) < 1000


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("demo", "doctor", "calibrate")])
@pytest.mark.parametrize("name", [LONG, "n" * 300, "/dev/zero", "/dev/null/x"], ids=["5000", "300", "device", "below"])
def test_a_name_that_leads_to_no_file_ends_in_words(verb: str, name: str, invoke: Any) -> None:
    flags = {"prices": "--prices", "serve": "--fleet", "worker": "--token-file", "mock": "--samples"}
    flag = [flags[verb]] if verb in flags else ["--journal"] if verb == "cleanup" else []
    more = ["--law", "empirical"] if verb == "mock" else ["--master-host", "127.0.0.1"] if verb == "worker" else []
    found = invoke(verb, *more, *flag, name)
    assert found.exit_code in (1, 2)
    assert "[Errno" not in found.stderr
    assert len(found.stderr) < 2000

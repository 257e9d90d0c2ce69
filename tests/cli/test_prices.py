"""`loadtest prices`: options that could do nothing are refused, and where a price is not known is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.cli import main


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), None),
        (("--region", "eu-west-1"), None),
        (("--endpoint-url", "http://u:secret@127.0.0.1:1"), ["--endpoint-url: means nothing without --update"]),
        (("--aws-profile", "p"), ["--aws-profile: means nothing without --update (got p); give --update too"]),
        (("--prices", "FILE"), None),
        (("--prices", "FILE", "--region", "eu-west-1"), ["--region: means nothing with --prices (got eu-west-1)"]),
        (
            ("--prices", "FILE", "--update", "--region", "r", "--aws-profile", "p"),
            ["--update: cannot be with --prices; give one of them", "--region: means nothing with --prices"],
        ),
    ],
)
def test_options_that_could_do_nothing(
    words: tuple[str, ...], told: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "prices.yaml"
    file.write_text("ml.c5.large: 1.5\n")
    done = CliRunner().invoke(main, ["prices", *(str(file) if word == "FILE" else word for word in words)])
    assert done.exit_code == (0 if told is None else 2), done.output
    assert all(line in done.output for line in told or ())
    assert "secret" not in done.output


@pytest.mark.parametrize(
    ("words", "where"), [((), "us-east-1"), (("--region", "eu-west-1"), "eu-west-1"), (("--prices", "FILE"), "FILE")]
)
def test_where_a_price_is_not_known(
    words: tuple[str, ...], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "prices.yaml"
    file.write_text("ml.c5.large: 1.5\n")
    asked = [str(file) if word == "FILE" else word for word in words]
    done = CliRunner().invoke(main, ["prices", "ml.odd.large", *asked])
    assert f"ml.odd.large: no price is known ({str(file) if where == 'FILE' else where})" in done.output

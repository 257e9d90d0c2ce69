"""Who may speak to a server of ours, as rules; tests of the emulator and of the mock ask them by requests."""

from __future__ import annotations

import pytest

from loadtest.wire.access import Access, mistakes, split_host

OPEN = Access("127.0.0.1", origins=("http://localhost:3000",), hosts=("aws.test",))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:80"}, None),
        ({"host": "localhost."}, None),
        ({"host": "[::1]:80"}, None),
        ({"host": "a.aws.test"}, None),
        ({"host": "notaws.test"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "a, b"}, 400),
        ({}, 400),
        ({"host": "localhost", "origin": "http://localhost:3000"}, None),
        ({"host": "localhost", "origin": "http://localhost:3001"}, 403),
        ({"host": "localhost", "origin": "http://localhost"}, None),
        ({"host": "localhost", "origin": "null"}, 403),
        ({"host": "localhost", "sec-fetch-site": "cross-site"}, 403),
        ({"host": "localhost", "referer": "http://evil.example/page"}, 403),
    ],
    ids=str,
)
def test_who_is_answered(headers: dict[str, str], status: int | None) -> None:
    refusal = OPEN.refusal(headers)
    assert (None if refusal is None else refusal.status) == status


@pytest.mark.parametrize("host", ["a b", "u@h", "h/p", "h?q", "[::1", ""])
def test_what_is_no_name_of_a_host(host: str) -> None:
    assert split_host(host) is None


def test_what_would_let_nobody_in_is_a_mistake() -> None:
    good = (["http://localhost:3000", "*", "chrome-extension://abc"], ["aws.test", "*", "10.0.0.1", "::1", "[::1]"])
    assert list(mistakes(*good)) == []
    wrong = ["foo", "http://h/page", "http://u:pw@h", "http:", ""], ["http://h", "h:80", "a b", "h/", ""]
    found = list(mistakes(*wrong))
    assert [problem.path for problem in found] == ["--allow-origin"] * 5 + ["--allow-host"] * 5
    assert "pw" not in "".join(map(str, found))

"""One answer to what loopback is."""

from __future__ import annotations

import pytest

from loadtest.loopback import is_link_local, is_loopback, is_own


@pytest.mark.parametrize(
    ("host", "loopback", "own"),
    [
        ("127.0.0.1", True, True),
        ("127.8.9.10", True, True),
        ("127.1", True, True),
        ("2130706433", True, True),
        ("0x7f000001", True, True),
        ("localhost", True, True),
        ("LOCALHOST.", True, True),
        ("a.localhost", True, True),
        ("::1", True, True),
        ("[::1]", True, True),
        ("[::ffff:127.0.0.1]", True, True),
        ("0.0.0.0", False, True),
        ("::", False, True),
        ("localhost.example.org", False, False),
        ("127.example.org", False, False),
        ("127.0.0.1.example.org", False, False),
        ("notlocalhost", False, False),
        ("10.0.0.1", False, False),
        ("128.0.0.1", False, False),
        ("::2", False, False),
        ("", False, False),
        ("1" * 400, False, False),
    ],
)
def test_loopback(host: str, loopback: bool, own: bool) -> None:
    assert (is_loopback(host), is_own(host)) == (loopback, own)


def test_link_local() -> None:
    hosts = ("169.254.169.254", "fe80::1%eth0", "[fe80::1]", "169.254.1", "example.org")
    assert [is_link_local(host) for host in hosts] == [True, True, True, True, False]

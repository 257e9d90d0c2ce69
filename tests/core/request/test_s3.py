from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.core.request.s3 import lies_below, s3_object


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://b/k", ("b", "k")),
        ("s3://b/dir/a b?#.tar.gz", ("b", "dir/a b?#.tar.gz")),
        ("https://b.s3.amazonaws.com/dir/k", ("b", "dir/k")),
        ("https://b.s3.eu-west-1.amazonaws.com/k", ("b", "k")),
        ("https://b.s3-eu-west-1.amazonaws.com/k", ("b", "k")),
        ("https://my.s3.bucket.s3.dualstack.us-east-1.amazonaws.com/k", ("my.s3.bucket", "k")),
        ("https://s3.us-east-1.amazonaws.com/b/dir/k", ("b", "dir/k")),
        ("https://s3-us-west-2.amazonaws.com/b/k", ("b", "k")),
        ("https://b.s3.amazonaws.com/a%20b.tar.gz", ("b", "a b.tar.gz")),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=SECRET#x", ("b", "k")),
        ("https://localhost:5000/b/k", ("b", "k")),
        ("s3://b", None),
        ("s3://b/", None),
        ("s3:///k", None),
        ("https://b.s3.amazonaws.com", None),
        ("https://host/b", None),
        ("https://[::1/b/k", None),
        ("http://b.s3.amazonaws.com/k", None),
        ("S3://b/k", None),
        ("", None),
    ],
)
def test_the_object_of_an_address(url: str, found: tuple[str, str] | None) -> None:
    assert s3_object(url) == found


@given(st.text(), st.sampled_from(["s3://", "https://", ""]))
def test_no_address_raises(text: str, scheme: str) -> None:
    found = s3_object(scheme + text)
    assert found is None or all(found)


@pytest.mark.parametrize(
    ("url", "top", "below"),
    [
        ("s3://b/in/k", "s3://b/in", True),
        ("s3://b/in/k", "s3://b/in/", True),
        ("s3://b/in/k", "s3://b", True),
        ("s3://b/in/k", "s3://b/in/k", True),
        ("https://b.s3.eu-west-1.amazonaws.com/in/k?X-Amz-Signature=s", "s3://b/in", True),
        ("s3://b/in/k", "https://b.s3.amazonaws.com/in/k", True),
        ("https://host/a/k.tgz?sig=1", "https://HOST/a", True),
        ("s3://b-other/in/k", "s3://b", False),
        ("s3://b/inside/k", "s3://b/in", False),
        ("s3://b/in/../k", "s3://b/in", False),
        ("https://host/a/%2e%2e/k", "https://host/a", False),
        ("https://host.evil/a/k", "https://host", False),
        ("https://host@evil/a", "https://host", False),
        ("s3://b/k", "", False),
    ],
)
def test_what_lies_below_an_address(url: str, top: str, below: bool) -> None:
    assert lies_below(url, top) is below

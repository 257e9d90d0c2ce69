"""How values and places are shown: one short line, whatever they are."""

import pytest

from loadtest.core.request.findings import nearest, path_text, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (1 << 16_609, "an integer of 16610 bits"),
        (1.5, "1.5"),
        ("a\nb", "'a\\nb'"),
        ("\ud800", "'\\ud800'"),
        ("x" * 100, repr("x" * 60 + "...")),
        ({}, "an empty object"),
        ({"a": 1}, "an object of 1 members"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        (b"x", "a bytes"),
    ],
    ids=range(13),
)
def test_shown(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("InputConfig", "Endpoints", 0, "EndpointName"), "InputConfig.Endpoints[0].EndpointName"),
        (("a b", 1), "'a b'[1]"),
        (("x\n",), "'x\\n'"),
    ],
)
def test_path_text(path, text):
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("name", "valid", "advice"),
    [
        ("ADVANCED", ("Default", "Advanced"), "did you mean Advanced?"),
        ("x", ("Default", "Advanced"), "use one of Default, Advanced"),
        (None, ("a",), "use one of a"),
        ("zzz", tuple(f"a{i}" for i in range(13)), ""),
    ],
)
def test_nearest(name, valid, advice):
    assert nearest(name, valid) == advice

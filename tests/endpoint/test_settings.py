"""The settings of a mock endpoint: their text form, their checks and the samples file."""

from __future__ import annotations

import contextlib
import math
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.endpoint.latency import DEFAULT_SIGMA, MockSettings
from loadtest.endpoint.samples import read_samples
from loadtest.errors import SpecError

PARSED = [
    ("", {}),
    ("mock:", {}),
    (
        "servers=4,service_ms=20,law=fixed,queue=1000,error_ratio=0,seed=1",
        {"servers": 4, "service_ms": 20.0, "law": "fixed", "queue": 1000, "error_ratio": 0.0, "seed": 1},
    ),
    ("mock:servers=2", {"servers": 2}),
    (" servers = 2 , queue=0 ,", {"servers": 2, "queue": 0}),
    ("law=lognormal,sigma=0.7,service_ms=12.5", {"law": "lognormal", "sigma": 0.7, "service_ms": 12.5}),
    ("law=empirical,samples=/data/a=b.txt", {"law": "empirical", "samples": "/data/a=b.txt"}),
    ("stall_ratio=0.01,stall_ms=500", {"stall_ratio": 0.01, "stall_ms": 500.0}),
    ("freeze_at_s=5,freeze_s=0.5,freeze_every_s=10", {"freeze_at_s": 5.0, "freeze_s": 0.5, "freeze_every_s": 10.0}),
    ("cold_start_ms=1e3,name=m", {"cold_start_ms": 1000.0, "name": "m"}),
    ("parts=8,part_gap_ms=3,response_bytes=2048,seed=-7", {"parts": 8, "response_bytes": 2048, "seed": -7}),
    ("name=", {"name": ""}),
]


@pytest.mark.parametrize(("text", "expected"), PARSED, ids=[text or "empty" for text, _ in PARSED])
def test_what_is_named_is_set_and_the_rest_keeps_its_default(text: str, expected: dict[str, object]) -> None:
    settings = MockSettings.parse(text)
    for field in fields(MockSettings):
        if field.name in expected:
            assert getattr(settings, field.name) == expected[field.name], field.name
    assert MockSettings.parse(settings.to_ref()) == settings
    untouched = {field.name for field in fields(MockSettings)} - {
        item.split("=")[0].strip() for item in text.split(",")
    }
    for name in untouched - {"mock:servers", "servers"}:
        assert getattr(settings, name) == getattr(MockSettings(), name), name


REFUSED = [
    ("servers=0", ["mock:servers: must be in 1..1000000 (got 0)"]),
    ("servers=2.5", ["mock:servers: must be a whole number (got 2.5)"]),
    ("servers=", ["mock:servers: the value is missing; write servers=VALUE"]),
    ("servers", ["mock:servers: the value is missing; write servers=VALUE"]),
    ("servers=2,servers=3", ["mock:servers: the setting is given twice (got 3)"]),
    ("servr=2", ["mock:servr: there is no such setting (got 2); did you mean servers"]),
    ("zzz=1", ["mock:zzz: there is no such setting (got 1); the settings are servers, service_ms, law"]),
    ("service_ms=-1", ["mock:service_ms: must be at least 0 (got -1)"]),
    ("service_ms=nan", ["mock:service_ms: must be a finite number (got nan)"]),
    ("service_ms=inf", ["mock:service_ms: must be a finite number (got inf)"]),
    ("service_ms=20ms", ["mock:service_ms: must be a finite number (got 20ms)"]),
    ("law=exponental", ["(got exponental); did you mean exponential"]),
    ("error_ratio=5", ["mock:error_ratio: must be in 0..1 (got 5); it is a share, not a percentage"]),
    ("stall_ratio=-0.1", ["mock:stall_ratio: must be in 0..1"]),
    ("queue=-1", ["mock:queue: must be at least 0"]),
    ("freeze_s=2,freeze_every_s=2", ["mock:freeze_every_s: must be more than freeze_s (2) (got 2)"]),
    ("law=empirical", ["mock:samples: the empirical law needs samples"]),
    ("samples=x", ["mock:samples: only the empirical law has samples (got x)"]),
    ("response_bytes=6291457", ["mock:response_bytes: must be in 0..6291456"]),
    ("parts=0", ["mock:parts: must be in 1..10000"]),
    (
        "servr=4,service_ms=x,law=fix,queue=-1,error_ratio=5",
        ["mock:servr", "mock:service_ms", "mock:law", "mock:queue", "mock:error_ratio"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED, ids=[text for text, _ in REFUSED])
def test_every_problem_is_told_at_once(text: str, expected: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        MockSettings.parse(text)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == len(expected)
    for line, part in zip(told, expected, strict=True):
        assert part in line


@pytest.mark.parametrize(
    "values",
    [
        {"servers": True},
        {"service_ms": "20"},
        {"queue": 1.0},
        {"seed": None},
        {"freeze_every_s": None},
        {"name": "a,b"},
    ],
    ids=str,
)
def test_a_bad_value_cannot_exist(values: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        MockSettings(**values)  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_no_text_gives_anything_but_settings_or_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        settings = MockSettings.parse(text)
        assert MockSettings.parse(settings.to_ref()) == settings


@given(
    st.builds(
        MockSettings,
        servers=st.integers(1, 10_000),
        service_ms=st.floats(0, 1e6),
        law=st.sampled_from(["fixed", "exponential", "lognormal"]),
        sigma=st.floats(0, 5),
        queue=st.integers(0, 10**9),
        error_ratio=st.floats(0, 1),
        stall_ratio=st.floats(0, 1),
        freeze_at_s=st.floats(0, 1e6),
        seed=st.integers(),
    )
)
def test_a_reference_reads_back_as_the_same_settings(settings: MockSettings) -> None:
    assert MockSettings.parse(settings.to_ref()) == settings


def test_the_default_spread_is_a_usual_one() -> None:
    assert math.exp(1.6448536 * DEFAULT_SIGMA) == pytest.approx(1.95, abs=0.001)


def test_samples_are_read_without_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "samples.txt"
    path.write_text("# ms\n12.5\n\n 20 # slow\n0\n1e3\n")
    assert read_samples(path) == (12.5, 20.0, 0.0, 1000.0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ["holds no value"]),
        (b"# nothing\n", ["holds no value"]),
        (b"1\nx\n-2\nnan\ninf\n", [":2: must be", ":3: must be", ":4: must be", ":5: must be"]),
        (b"x\n" * 50, [f":{line}: must be" for line in range(1, 11)]),
        (b"\xff\xfe", ["cannot be read"]),
    ],
    ids=["empty", "comment", "four bad", "many bad", "binary"],
)
def test_bad_samples_are_refused(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    path = tmp_path / "samples.txt"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_samples(path)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == len(expected)
    assert all(part in line for line, part in zip(told, expected, strict=True))


def test_a_missing_samples_file_is_the_callers_fault() -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_samples("/nonexistent/samples.txt")

"""The values of a job: which tests it has, and what they are called."""

import dataclasses

import pytest

from loadtest.core.request.spec import (
    EndpointConfiguration,
    JobSpec,
    LatencyThreshold,
    LoadTest,
    RunOptions,
    Serverless,
    StopConditions,
)

ENVIRONMENT = (("A", ("1", "2")), ("B", ("x", "y", "z")))


def job(**fields):
    return JobSpec("job", "Advanced", "arn:aws:iam::123456789012:role/R", **fields)


@pytest.mark.parametrize(
    ("ranges", "combinations"),
    [
        ((), [()]),
        ((("A", ("1", "2")),), [(("A", "1"),), (("A", "2"),)]),
        (ENVIRONMENT, [(("A", a), ("B", b)) for a in "12" for b in "xyz"]),
    ],
)
def test_combinations_are_the_product_in_the_order_given(ranges, combinations):
    configuration = EndpointConfiguration("ml.c5.large", environment_ranges=ranges)
    assert list(configuration.combinations()) == combinations


def test_tests_are_endpoints_first_and_numbered():
    large = EndpointConfiguration("ml.c5.large", environment_ranges=(("A", ("1", "2")),))
    small = EndpointConfiguration(serverless=Serverless(2048, 5))
    run, left_out = job(endpoints=("e",), configurations=(large, small)).tests()
    assert [test.label for test in run] == ["e", "ml.c5.large A=1", "ml.c5.large A=2", "serverless 2048 MB x 5"]
    assert [test.index for test in run] == [0, 1, 2, 3]
    assert left_out == ()


@pytest.mark.parametrize(("limit", "run", "left_out"), [(None, 6, 0), (6, 6, 0), (4, 4, 2), (1, 1, 5)])
def test_tests_over_the_limit_are_told_apart(limit, run, left_out):
    configuration = EndpointConfiguration("ml.c5.large", environment_ranges=ENVIRONMENT)
    first, rest = job(configurations=(configuration,), max_tests=limit).tests()
    assert (len(first), len(rest)) == (run, left_out)
    assert [test.index for test in first + rest] == list(range(6))


@pytest.mark.parametrize(
    ("test", "label"),
    [
        (LoadTest(0), "default"),
        (LoadTest(0, configuration=EndpointConfiguration()), "default"),
        (LoadTest(0, endpoint_name="e"), "e"),
        (LoadTest(0, configuration=EndpointConfiguration("ml.m5.large"), environment=(("A", "1"),)), "ml.m5.large A=1"),
    ],
)
def test_labels(test, label):
    assert test.label == label


@pytest.mark.parametrize(("share", "name"), [(0.95, "P95"), (0.99, "P99"), (0.999, "P99.9"), (0.5, "P50")])
def test_a_threshold_is_named_as_the_api_does(share, name):
    threshold = LatencyThreshold(share, 250)
    assert (threshold.name, threshold.limit_ns) == (name, 250_000_000)


def test_the_request_and_the_warnings_are_not_compared():
    assert job(request={"a": 1}) == job(request={"b": 2})
    assert job(max_tests=1) != job(max_tests=2)


def test_the_defaults_are_those_of_the_decisions():
    assert RunOptions() == RunOptions("smooth", "total", "auto", 1.0, 60.0, 60.0, None, 1)
    assert StopConditions() == StopConditions(None, None, True, None)
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(RunOptions))

"""Requests to job specs and back: the real files, one table of faults, and what no input may do."""

import copy
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import JOBS

from loadtest.core.request.instance_types import INSTANCE_TYPES
from loadtest.core.request.parse import parse_job, unparse_job
from loadtest.core.request.spec import (
    EndpointConfiguration,
    JobSpec,
    LatencyThreshold,
    Phase,
    Serverless,
    Stairs,
    StopConditions,
)
from loadtest.errors import SpecError

VALID = sorted(path for path in JOBS.glob("*.json") if path.name != "observed-results.json")
PHASES = "InputConfig.TrafficPattern.Phases"

INVALID = {
    "i01-stairs-16-users-per-step": [
        ("InputConfig.TrafficPattern.Stairs.UsersPerStep", "16", "must be at most 3", "1..3"),
        (
            "InputConfig.TokenizerConfig",
            "an object of 2 members",
            "is not a valid member",
            "did you mean ContainerConfig?",
        ),
    ],
    "i02-cli-spawn-60": [
        ("JobType", "'ADVANCED'", "is not a valid value", "did you mean Advanced?"),
        (f"{PHASES}[0].SpawnRate", "60", "must be at most 3", "0..3"),
    ],
    "i04-default-with-traffic-pattern": [
        (
            "InputConfig.TrafficPattern",
            "",
            "does not belong to a Default job",
            "use JobType Advanced or leave it out",
        ),
        ("StoppingConditions", "", "does not belong to a Default job", "use JobType Advanced or leave it out"),
    ],
    "i05-unknown-stopping-member": [
        (
            "InputConfig.ContainerConfig.PayloadConfig.SamplePayloadUrl",
            "'s3://example-bucket/llm-sample-payloads/'",
            "must point to one archive with the suffix .tar.gz",
            "",
        ),
        (
            "InputConfig.TrafficPattern",
            "",
            "does not belong to a Default job",
            "use JobType Advanced or leave it out",
        ),
        (
            f"{PHASES}[2].InitialNumberOfUsers",
            "20",
            "must be within 3 users of the end of the phase before, which has 7",
            "4..10",
        ),
        (
            f"{PHASES}[3].InitialNumberOfUsers",
            "50",
            "must be within 3 users of the end of the phase before, which has 24",
            "21..27",
        ),
        (f"{PHASES}[3].SpawnRate", "5", "must be at most 3", "0..3"),
        ("StoppingConditions", "", "does not belong to a Default job", "use JobType Advanced or leave it out"),
        (
            "StoppingConditions.MaxRuntimeInSeconds",
            "3600",
            "is not a valid member",
            "use one of MaxInvocations, ModelLatencyThresholds, FlatInvocations",
        ),
    ],
    "i07-phases-10-and-50-users": [
        (f"{PHASES}[0].InitialNumberOfUsers", "10", "the first phase must start with at most 3 users", "1..3"),
        (
            f"{PHASES}[1].InitialNumberOfUsers",
            "50",
            "must be within 3 users of the end of the phase before, which has 30",
            "27..33",
        ),
        (f"{PHASES}[1].SpawnRate", "5", "must be at most 3", "0..3"),
        (
            "InputConfig.EndpointConfigurations",
            "",
            "an Advanced job needs EndpointConfigurations or Endpoints",
            "",
        ),
    ],
    "i08-devguide-2021-spawn-60": [
        (f"{PHASES}[0].SpawnRate", "60", "must be at most 3", "0..3"),
        (
            f"{PHASES}[1].InitialNumberOfUsers",
            "5",
            "must be within 3 users of the end of the phase before, which has 301",
            "298..304",
        ),
    ],
}


def problems(request, profile="aws"):
    with pytest.raises(SpecError) as caught:
        parse_job(request, profile)
    return caught.value.problems


def put(request, path, value):
    """Sets a member by its path; `...` removes it."""
    *parents, last = path
    for name in parents:
        request = request[name]
    if value is ...:
        del request[last]
    else:
        request[last] = value


@pytest.mark.parametrize("path", VALID, ids=[path.stem for path in VALID])
def test_real_requests_parse_and_come_back(path):
    request = json.loads(path.read_text())
    spec = parse_job(request, "aws")
    assert spec.warnings == ()
    assert spec.request == request
    expected = copy.deepcopy(request)
    if expected.get("StoppingConditions", {}).get("FlatInvocations") == "Stop":
        del expected["StoppingConditions"]["FlatInvocations"]  # the default
    assert unparse_job(spec) == expected
    assert parse_job(unparse_job(spec)) == spec
    assert parse_job(request, "relaxed") == spec


def test_every_invalid_file_has_an_expectation():
    assert {path.stem for path in (JOBS / "invalid").glob("*.json")} == set(INVALID)
    assert len(VALID) == 14


@pytest.mark.parametrize("name", INVALID)
def test_invalid_requests_are_refused_with_every_problem(name, job_file):
    found = problems(job_file(name))
    assert [(each.path, each.value, each.rule, each.advice) for each in found] == INVALID[name]


def test_a_whole_request_in_our_names(job_file):
    spec = parse_job(job_file("06-"))
    assert spec.traffic == (Phase(1, 1, 120),)
    assert spec.stop == StopConditions(1000, LatencyThreshold(0.95, 500))
    assert (spec.duration_s, spec.max_tests, spec.max_parallel_tests) == (7200, 3, 1)
    assert [test.label for test in spec.tests()[0]] == [f"ml.c5.xlarge OMP_NUM_THREADS={n}" for n in (1, 2, 4)]
    payload = parse_job(job_file("17-"))
    assert (payload.sample_payload_url, payload.content_type) == (
        "s3://example-bucket/payload.tar.gz",
        "application/x-npy",
    )
    assert parse_job(job_file("14-")).traffic == Stairs(2, 2, 240)
    assert parse_job(job_file("03-")).endpoints == ("my-existing-endpoint",)


def test_the_request_is_a_copy(advanced):
    spec = parse_job(advanced)
    before = copy.deepcopy(advanced)
    advanced["InputConfig"]["TrafficPattern"]["Phases"].clear()
    advanced["StoppingConditions"]["MaxInvocations"] = 7
    assert spec.request == before


C = ("InputConfig", "EndpointConfigurations", 0)
P = ("InputConfig", "TrafficPattern", "Phases")
S = ("InputConfig", "TrafficPattern")
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
T = ("StoppingConditions", "ModelLatencyThresholds")
PHASE = {"InitialNumberOfUsers": 1, "SpawnRate": 1, "DurationInSeconds": 120}
STAIRS = {"DurationInSeconds": 120, "NumberOfSteps": 2, "UsersPerStep": 2}
RANGE = {"Name": "N", "Value": ["1"]}

# (path to change, value, aws: paths and rules, relaxed: "error", "warning" or "ok")
FAULTS = [
    (("JobName",), ..., [("JobName", "is required")], "error"),
    (("JobName",), "", [("JobName", "must have at least 1 characters")], "error"),
    (("JobName",), "a_b", [("JobName", "must match [a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}")], "error"),
    (("JobName",), "a" * 65, [("JobName", "must have at most 64 characters, has 65")], "error"),
    (("JobName",), None, [("JobName", "must be a string")], "error"),
    (("JobDescription",), "\ud800", [("JobDescription", "is not valid Unicode text")], "error"),
    (("InputConfig",), ..., [("InputConfig", "is required")], "error"),
    (("InputConfig",), [], [("InputConfig", "must be an object")], "error"),
    (("RoleArn",), "arn:aws:iam::12345678901\u0662:role/R", None, "error"),
    ((*P, 0, "SpawnRate"), 4, [("InputConfig.TrafficPattern.Phases[0].SpawnRate", "must be at most 3")], "warning"),
    ((*P, 0, "SpawnRate"), -1, [(f"{PHASES}[0].SpawnRate", "must be at least 0")], "error"),
    ((*P, 0, "SpawnRate"), True, [(f"{PHASES}[0].SpawnRate", "must be an integer")], "error"),
    ((*P, 0, "SpawnRate"), 1.0, [(f"{PHASES}[0].SpawnRate", "must be an integer")], "error"),
    ((*P, 0, "SpawnRate"), math.nan, [(f"{PHASES}[0].SpawnRate", "must be an integer")], "error"),
    ((*P, 0, "SpawnRate"), 10**6000, [(f"{PHASES}[0].SpawnRate", "must be an integer of 32 bits")], "error"),
    ((*P, 0, "SpawnRate"), ..., [(f"{PHASES}[0].SpawnRate", "is required")], "error"),
    ((*P, 0, "DurationInSeconds"), 119, [(f"{PHASES}[0].DurationInSeconds", "must be at least 120")], "warning"),
    ((*P, 0, "DurationInSeconds"), 3601, [(f"{PHASES}[0].DurationInSeconds", "must be at most 3600")], "warning"),
    ((*P, 0, "DurationInSeconds"), 0, [(f"{PHASES}[0].DurationInSeconds", "must be at least 1")], "error"),
    ((*P, 0, "InitialNumberOfUsers"), 0, [(f"{PHASES}[0].InitialNumberOfUsers", "must be at least 1")], "error"),
    ((*P, 0, "InitialNumberOfUsers"), 4, None, "warning"),
    ((*P, 0, "InitialNumberOfUsers"), 200_000, None, "error"),
    (P, [], [(PHASES, "is empty")], "error"),
    (P, ..., [(PHASES, "is required with TrafficType PHASES")], "error"),
    ((*S, "Stairs"), STAIRS, [(f"{PHASES[:-7]}.Stairs", "does not belong to TrafficType PHASES")], "error"),
    ((*S, "TrafficType"), "STAIRS", None, "error"),
    ((*S, "TrafficType"), "STEPS", [(f"{PHASES[:-7]}.TrafficType", "is not a valid value")], "error"),
    ((*S, "TrafficType"), ..., [], "ok"),
    (S, {}, [(f"{PHASES[:-7]}.TrafficType", "is required")], "error"),
    (S, ..., [("InputConfig.TrafficPattern", "is required for an Advanced job")], "error"),
    (
        S,
        {"Stairs": {**STAIRS, "UsersPerStep": 4}},
        [(f"{PHASES[:-7]}.Stairs.UsersPerStep", "must be at most 3")],
        "warning",
    ),
    (S, {"Stairs": {**STAIRS, "NumberOfSteps": 10**6}}, None, "error"),
    (S, {"Stairs": {"NumberOfSteps": 2, "UsersPerStep": 2}}, None, "error"),
    (
        ("InputConfig", "JobDurationInSeconds"),
        18_001,
        [("InputConfig.JobDurationInSeconds", "must be at most 18000")],
        "warning",
    ),
    (("InputConfig", "JobDurationInSeconds"), 119, None, "warning"),
    (("InputConfig", "ResourceLimit", "MaxNumberOfTests"), 11, None, "warning"),
    (("InputConfig", "ResourceLimit", "MaxParallelOfTests"), 0, None, "error"),
    ((*C[:2],), [{"InstanceType": "ml.c5.large"}] * 4, None, "error"),
    ((*C[:2],), ..., None, "error"),
    ((*C, "InstanceType"), "ml.c5.xlargee", None, "error"),
    ((*C, "InstanceType"), "ml.t2.medium", None, "warning"),
    ((*C, "InstanceType"), ..., None, "warning"),
    ((*C, "ServerlessConfig"), SERVERLESS, None, "error"),
    (C, {"ServerlessConfig": SERVERLESS}, [], "ok"),
    (C, {"ServerlessConfig": {**SERVERLESS, "MemorySizeInMB": 1500}}, None, "error"),
    (C, {"ServerlessConfig": {**SERVERLESS, "MemorySizeInMB": 7168}}, None, "error"),
    (C, {"ServerlessConfig": {**SERVERLESS, "ProvisionedConcurrency": 2}}, None, "warning"),
    ((*C, "EnvironmentParameterRanges"), {"CategoricalParameterRanges": [RANGE, RANGE]}, None, "error"),
    ((*C, "EnvironmentParameterRanges"), {"CategoricalParameterRanges": [{"Name": "N", "Value": []}]}, None, "error"),
    (("InputConfig", "ModelName"), "m", None, "error"),
    (("InputConfig", "ModelPackageVersionArn"), ..., None, "warning"),
    (("InputConfig", "Endpoints"), [{}], [("InputConfig.Endpoints[0].EndpointName", "is required")], "error"),
    (("InputConfig", "Endpoints"), [{"EndpointName": "a"}, {"EndpointName": "b"}], None, "error"),
    (
        ("InputConfig", "VpcConfig"),
        {"Subnets": ["s"]},
        [("InputConfig.VpcConfig.SecurityGroupIds", "is required")],
        "error",
    ),
    (("StoppingConditions", "MaxInvocations"), 30_001, None, "warning"),
    (("StoppingConditions", "MaxInvocations"), 0, None, "error"),
    (("StoppingConditions", "FlatInvocations"), "stop", None, "error"),
    (
        (*T, 0, "Percentile"),
        "P90",
        [("StoppingConditions.ModelLatencyThresholds[0].Percentile", "must be P95 or P99")],
        "warning",
    ),
    ((*T, 0, "Percentile"), "P100", None, "error"),
    ((*T, 0, "Percentile"), "p95", None, "error"),
    ((*T, 0, "ValueInMilliseconds"), 0, None, "error"),
    ((*T, 0, "ValueInMilliseconds"), ..., None, "error"),
    (T, [], [("StoppingConditions.ModelLatencyThresholds", "is empty")], "error"),
    (("Tags",), [{"Key": "k\u00e9 y", "Value": ""}], [], "ok"),
    (("Tags",), [{"Key": "k;", "Value": ""}], None, "error"),
    (("Tags",), [{"Key": f"k{i}", "Value": "v"} for i in range(51)], [("Tags", "must have at most 50 items")], "error"),
    (("Tag",), [], [("Tag", "is not a valid member")], "error"),
]


@pytest.mark.parametrize(
    ("path", "value", "expected", "relaxed"),
    FAULTS,
    ids=[f"{i}-{'.'.join(map(str, fault[0]))}" for i, fault in enumerate(FAULTS)],
)
def test_faults(path, value, expected, relaxed, advanced):
    """Each fault alone gives one problem (or those listed) under aws, and error, warning or nothing under relaxed."""
    put(advanced, path, value)
    if relaxed == "ok":
        assert parse_job(advanced, "aws").warnings == parse_job(advanced, "relaxed").warnings == ()
        return
    found = problems(advanced)
    if expected is None:
        assert found
    else:
        assert [(each.path, each.rule) for each in found] == expected
    if relaxed == "error":
        problems(advanced, "relaxed")
    else:
        assert parse_job(advanced, "relaxed").warnings == found


@pytest.mark.parametrize(
    ("phases", "allowed"),
    [
        ([(3, 0, 120)], True),
        ([(4, 0, 120)], False),
        ([(2, 2, 300), (14, 0, 120)], True),  # ends at 12
        ([(2, 2, 300), (15, 0, 120)], True),
        ([(2, 2, 300), (16, 0, 120)], False),
        ([(2, 2, 300), (9, 0, 120)], True),
        ([(2, 2, 300), (8, 0, 120)], False),
        ([(2, 3, 900), (50, 3, 900)], True),  # ends at 47
        ([(1, 1, 130), (6, 0, 120)], True),  # 3.17 are 3 whole users
        ([(1, 1, 130), (7, 0, 120)], False),
    ],
)
def test_phase_jump(phases, allowed, advanced):
    names = ("InitialNumberOfUsers", "SpawnRate", "DurationInSeconds")
    advanced["InputConfig"]["TrafficPattern"]["Phases"] = [dict(zip(names, phase, strict=True)) for phase in phases]
    if allowed:
        assert parse_job(advanced).traffic == tuple(Phase(*phase) for phase in phases)
    else:
        (problem,) = problems(advanced)
        assert problem.path == f"{PHASES}[{len(phases) - 1}].InitialNumberOfUsers"
        assert parse_job(advanced, "relaxed").warnings == (problem,)


def test_advice_on_types_and_names(advanced):
    advanced["InputConfig"]["JobDurationInSeconds"] = "7200"
    advanced["InputConfig"]["EndpointConfigurations"] = {"InstanceType": "ml.c5.large"}
    advanced["JobDescription"] = 5
    advanced["Jobname"] = advanced.pop("JobName")
    advanced["line\nbreak"] = None
    found = {each.path: each.advice for each in problems(advanced)}
    assert found == {
        "InputConfig.JobDurationInSeconds": "write 7200 without quotes",
        "InputConfig.EndpointConfigurations": "put it in brackets: [...]",
        "JobDescription": "put it in quotes",
        "Jobname": "did you mean JobName?",
        "JobName": "",
        "'line\\nbreak'": "use one of JobName, JobType, RoleArn, InputConfig, JobDescription, StoppingConditions, "
        "OutputConfig, Tags",
    }


def test_a_relaxed_default_job_ignores_traffic(job_file):
    spec = parse_job(job_file("i04-"), "relaxed")
    assert (spec.traffic, spec.stop) == (None, StopConditions())
    assert [each.path for each in spec.warnings] == ["InputConfig.TrafficPattern", "StoppingConditions"]


def test_a_default_job_needs_a_model_or_an_endpoint(job_file):
    request = job_file("03-")
    del request["InputConfig"]["ModelPackageVersionArn"]
    assert parse_job(request).endpoints == ("my-existing-endpoint",)
    request["InputConfig"] = {}
    for profile in ("aws", "relaxed"):
        assert [each.path for each in problems(request, profile)] == ["InputConfig"]


def test_finer_percentiles_of_the_relaxed_profile(advanced):
    advanced["StoppingConditions"]["ModelLatencyThresholds"][0]["Percentile"] = "P99.9"
    spec = parse_job(advanced, "relaxed")
    assert spec.stop.latency == LatencyThreshold(0.999, 100)
    assert parse_job(unparse_job(spec), "relaxed") == spec


def test_huge_inputs_end_soon_with_a_bounded_list(advanced):
    advanced["InputConfig"]["TrafficPattern"]["Phases"] = [{}] * 10**6
    assert [each.rule for each in problems(advanced)] == ["must have at most 1000 items"]
    found = problems({f"member{i}": i for i in range(200_000)})
    assert len(found) == 1001
    assert found[-1].rule == "there are more than 1000 problems; the rest is not listed"
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    assert problems({"JobName": nested})[0].rule == "must be a string"


def test_members_without_a_field_survive_unparsing(advanced):
    advanced["Tags"] = [{"Key": "a", "Value": "b"}]
    advanced["InputConfig"]["VpcConfig"] = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    advanced["OutputConfig"] = {"KmsKeyId": "key", "CompiledOutputConfig": {"S3OutputUri": "s3://b/o/"}}
    advanced["InputConfig"]["ContainerConfig"] = {
        "Domain": "MACHINE_LEARNING",
        "PayloadConfig": {"SamplePayloadUrl": "s3://b/p.tar.gz", "SupportedContentTypes": ["text/csv", "text/plain"]},
    }
    assert unparse_job(parse_job(advanced)) == advanced


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=True)
    | st.text(st.characters(codec=None)),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["aws", "relaxed"]))
def test_any_json_value_is_refused_without_another_exception(value, profile):
    found = problems(value, profile)
    assert found
    assert "\n" not in "".join(map(str, found))


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*path, name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, (*path, i))


REQUESTS = [json.loads(path.read_text()) for path in [*VALID, *sorted((JOBS / "invalid").glob("*.json"))]]


@given(st.data(), st.sampled_from(["aws", "relaxed"]))
def test_any_value_anywhere_in_a_request_gives_a_spec_or_a_spec_error(data, profile):
    request = copy.deepcopy(data.draw(st.sampled_from(REQUESTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in places(request) if path]))
        put(request, path, data.draw(JSON))
    try:
        spec = parse_job(request, profile)
    except SpecError:
        return
    assert parse_job(unparse_job(spec), profile) == spec


NAMES = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,20}", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


@st.composite
def phases(draw):
    made = []
    end = 0
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(max(1, end - 3), end + 3))
        phase = Phase(start, draw(st.integers(0, 3)), draw(st.integers(120, 3600)))
        made.append(phase)
        end = start + phase.spawn_rate_per_min * phase.duration_s // 60
    return tuple(made)


STAIRS_SPECS = st.builds(Stairs, st.integers(1, 3), st.integers(1, 50), st.integers(120, 3600))
SERVERLESS_SPECS = st.builds(Serverless, st.integers(1, 6).map(lambda n: n * 1024), st.integers(1, 200), st.none())
RANGES = st.lists(
    st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3).map(tuple)), max_size=3, unique_by=lambda each: each[0]
).map(tuple)
CONFIGURATIONS = st.one_of(
    st.builds(
        EndpointConfiguration,
        st.sampled_from([name for name in INSTANCE_TYPES if ".t2." not in name]),
        st.none(),
        st.none() | NAMES,
        RANGES,
    ),
    st.builds(EndpointConfiguration, st.none(), SERVERLESS_SPECS, st.none() | NAMES, RANGES),
)
STOPS = st.builds(
    StopConditions,
    st.none() | st.integers(1, 30_000),
    st.none() | st.builds(LatencyThreshold, st.sampled_from([0.95, 0.99]), st.integers(1, 2**31 - 1)),
    st.booleans(),
    st.none(),
)


@st.composite
def specs(draw):
    advanced = draw(st.booleans())
    configurations = tuple(draw(st.lists(CONFIGURATIONS, min_size=1, max_size=4)))
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1"
    package = draw(st.sampled_from([arn, None]))
    return JobSpec(
        name=draw(NAMES),
        job_type="Advanced" if advanced else "Default",
        role_arn="arn:aws:iam::123456789012:role/Role",
        traffic=draw(phases() | STAIRS_SPECS) if advanced else None,
        stop=draw(STOPS) if advanced else StopConditions(),
        configurations=configurations if advanced else (),
        endpoints=draw(st.sampled_from([(), ("endpoint",)])),
        model_package_arn=package,
        model_name=None if package else draw(NAMES),
        duration_s=draw(st.none() | st.just(18_000)),
        max_tests=draw(st.none() | st.integers(4, 10)),
        max_parallel_tests=draw(st.none() | st.integers(1, 10)),
        sample_payload_url=draw(st.sampled_from([None, "s3://bucket/payload.tar.gz"])),
        content_type=draw(st.sampled_from([None, "", "text/csv"])),
    )


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(specs())
def test_round_trip(spec):
    request = unparse_job(spec)
    again = parse_job(json.loads(json.dumps(request)))
    assert again == spec
    assert again.request == request
    assert again.warnings == ()

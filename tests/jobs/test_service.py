"""The operations, on a store in memory and an engine that does what the test says."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import pytest
from jobkit import DATA, NOWHERE, HandEngine, Heard, awaited, described, ended, job_request, steps_of

from loadtest.core.judge.decision import Reason
from loadtest.errors import EngineError
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.service import ApiError, JobService

Services = Callable[..., JobService]
PAYLOAD_ERROR = "PayloadError when calling the InvokeEndpoint operation"


def packed(**files: bytes) -> bytes:
    """A .tar.gz of these files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return archive.getvalue()


def create(service: JobService, *args: Any, **changes: Any) -> str:
    arn: str = service.create_inference_recommendations_job(job_request(*args, **changes))["JobArn"]
    return arn


def stop(service: JobService, name: str = "job-1") -> None:
    assert service.stop_inference_recommendations_job({"JobName": name}) == {}


def refusal(call: Callable[[dict[str, Any]], Any], params: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as refused:
        call(params)
    assert refused.value.http_status == 400
    assert refused.value.message
    return refused.value


def test_a_job_from_creation_to_recommendation(services: Services, engine: HandEngine) -> None:
    service = services()
    arn = create(service)
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:inference-recommendations-job/job-1"
    engine.started.get(timeout=60)
    running = described(service, "job-1")
    assert running["Status"] == "IN_PROGRESS"
    assert not {"CompletionTime", "FailureReason", "InferenceRecommendations", "StoppingConditions"} & set(running)
    assert [step["Status"] for step in steps_of(service, "job-1")] == ["IN_PROGRESS"]
    assert "InvocationEndTime" not in steps_of(service, "job-1")[0]["InferenceBenchmark"]
    engine.release()

    job = ended(service, "job-1")
    request = job_request()
    assert {name: job[name] for name in ("JobName", "JobType", "RoleArn", "InputConfig")} == {
        name: request[name] for name in ("JobName", "JobType", "RoleArn", "InputConfig")
    }
    assert (job["Status"], job["JobArn"]) == ("COMPLETED", arn)
    assert job["CreationTime"] <= job["CompletionTime"] <= job["LastModifiedTime"]
    (recommendation,) = job["InferenceRecommendations"]
    configuration = recommendation["EndpointConfiguration"]
    assert configuration["EndpointName"].startswith("sm-epc-")
    assert configuration["VariantName"] == configuration["EndpointName"]
    assert (configuration["InstanceType"], configuration["InitialInstanceCount"]) == ("ml.c5.xlarge", 1)
    assert recommendation["ModelConfiguration"] == {"EnvironmentParameters": []}
    # Ten successes of 20 ms a second, at 0.204 USD an hour. A real target tells no utilisation (R6).
    metrics = recommendation["Metrics"]
    assert metrics["MaxInvocations"] == 600
    assert metrics["ModelLatency"] in (20, 21)  # the histogram's resolution is 0.1 %, rounded up
    assert metrics["CostPerHour"] == 0.20399999618530273
    assert metrics["CostPerInference"] == pytest.approx(0.204 / 36000, rel=1e-6)
    assert set(metrics) == {"MaxInvocations", "ModelLatency", "CostPerHour", "CostPerInference"}
    assert recommendation["InvocationStartTime"] <= recommendation["InvocationEndTime"]


def test_answers_fit_the_service_model(services: Services, engine: HandEngine) -> None:
    """botocore's own parser would drop unknown members; its validator does not."""
    session = pytest.importorskip("botocore.session").get_session()
    validate = pytest.importorskip("botocore.validate").ParamValidator()
    model = session.get_service_model("sagemaker")
    engine.release()
    service = services()
    create(service, Endpoints=[{"EndpointName": "mine"}])
    ended(service, "job-1")
    calls = {
        "DescribeInferenceRecommendationsJob": service.describe_inference_recommendations_job({"JobName": "job-1"}),
        "ListInferenceRecommendationsJobs": service.list_inference_recommendations_jobs({}),
        "ListInferenceRecommendationsJobSteps": {"Steps": steps_of(service, "job-1")},
        "GetScalingConfigurationRecommendation": service.get_scaling_configuration_recommendation(
            {"InferenceRecommendationsJobName": "job-1", "EndpointName": "mine"}
        ),
    }
    for operation, answer in calls.items():
        report = validate.validate(answer, model.operation_model(operation).output_shape)
        text = report.generate_report()
        # Real answers carry an empty list where the model says at least one.
        left = [line for line in text.splitlines() if "EnvironmentParameters, value: 0" not in line]
        assert not left, f"{operation}: {text}"


def test_a_name_is_taken_once(services: Services) -> None:
    service = services()
    start = threading.Barrier(10)
    answers: list[str] = []

    def one() -> None:
        start.wait()
        try:
            answers.append(create(service, "same"))
        except ApiError as problem:
            answers.append(problem.code)

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[:9] == ["ResourceInUse"] * 9
    assert answers.count("ResourceInUse") == 9


def test_the_quota_counts_active_jobs(services: Services, engine: HandEngine) -> None:
    service = services(quota=2)
    create(service, "a")
    create(service, "b")
    params = job_request("c")
    assert refusal(service.create_inference_recommendations_job, params).code == "ResourceLimitExceeded"
    assert refusal(service.create_inference_recommendations_job, job_request("a")).code == "ResourceInUse"
    engine.release()
    ended(service, "a")
    service.create_inference_recommendations_job(params)
    ended(service, "c")


def test_an_invalid_request_is_refused_with_every_problem(services: Services) -> None:
    service = services()
    request = job_request(JobDurationInSeconds=60)
    request["InputConfig"]["TrafficPattern"]["Phases"][0]["SpawnRate"] = 60
    request["JobType"] = "ADVANCED"
    problem = refusal(service.create_inference_recommendations_job, request)
    assert problem.code == "ValidationException"
    assert "JobType" in problem.message
    assert "SpawnRate" in problem.message
    assert service.list_inference_recommendations_jobs({}) == {"InferenceRecommendationsJobs": []}


@pytest.mark.parametrize(
    "operation",
    [
        "describe_inference_recommendations_job",
        "stop_inference_recommendations_job",
        "list_inference_recommendations_job_steps",
    ],
)
def test_unknown_jobs(services: Services, operation: str) -> None:
    call = getattr(services(), operation)
    assert refusal(call, {"JobName": "nobody"}).code == "ResourceNotFound"
    assert refusal(call, {"JobName": "\ud800"}).code == "ResourceNotFound"
    assert refusal(call, {}).code == "ValidationException"


def test_lists_page_by_page(services: Services, engine: HandEngine) -> None:
    engine.release()
    service = services()
    names = [f"job-{i}" for i in range(7)]
    for name in names:
        create(service, name)
        ended(service, name)
    params: dict[str, Any] = {"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 3}
    pages: list[list[str]] = []
    token: str | None = None
    while True:
        answer = service.list_inference_recommendations_jobs({**params, **({"NextToken": token} if token else {})})
        pages.append([job["JobName"] for job in answer["InferenceRecommendationsJobs"]])
        if (token := answer.get("NextToken")) is None:
            break
    assert pages == [names[:3], names[3:6], names[6:]]
    item = service.list_inference_recommendations_jobs({"NameContains": "b-3"})["InferenceRecommendationsJobs"][0]
    assert item["JobDescription"] == ""
    assert item["ModelPackageVersionArn"].endswith("model-package/m/1")
    for wrong in ({"NextToken": "x"}, {"MaxResults": 0}, {"StatusEquals": "x"}):
        assert refusal(service.list_inference_recommendations_jobs, wrong).code == "ValidationException"


def test_steps_page_by_page_and_by_status(services: Services, engine: HandEngine) -> None:
    engine.release()
    engine.fail, engine.fail_first = EngineError("no luck"), 1
    service = services()
    create(service, "job-1", ("ml.c5.large", "ml.c5.xlarge", "ml.m5.large"), ResourceLimit={"MaxParallelOfTests": 1})
    assert ended(service, "job-1")["Status"] == "COMPLETED"
    call = service.list_inference_recommendations_job_steps
    first = call({"JobName": "job-1", "MaxResults": 2})
    rest = call({"JobName": "job-1", "MaxResults": 2, "NextToken": first["NextToken"]})
    assert "NextToken" not in rest
    both = [*first["Steps"], *rest["Steps"]]
    assert [step["Status"] for step in both] == ["FAILED", "COMPLETED", "COMPLETED"]
    assert both == steps_of(service, "job-1", StepType="BENCHMARK")
    (failed,) = steps_of(service, "job-1", Status="FAILED")
    assert failed["InferenceBenchmark"]["FailureReason"] == "no luck"
    assert "Metrics" not in failed["InferenceBenchmark"]
    for wrong in ({"Status": "x"}, {"StepType": "x"}, {"MaxResults": 101}, {"NextToken": "x"}):
        assert refusal(call, {"JobName": "job-1", **wrong}).code == "ValidationException"


def test_a_job_fails_only_when_every_test_does(services: Services, engine: HandEngine) -> None:
    engine.fail = EngineError("no luck")
    service = services()
    create(service, "job-1", ("ml.c5.large", "ml.c5.xlarge"))
    job = ended(service, "job-1")
    assert (job["Status"], job["FailureReason"]) == ("FAILED", "All benchmarks failed. no luck")
    assert "InferenceRecommendations" not in job


def test_a_broken_engine_is_a_failed_test_not_a_dead_service(services: Services, engine: HandEngine) -> None:
    engine.fail = RuntimeError("bug")
    service = services()
    create(service)
    job = ended(service, "job-1")
    assert job["Status"] == "FAILED"
    assert "InternalFailure: RuntimeError: bug" in job["FailureReason"]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.CURVE_END, "COMPLETED"),
        (Reason.MAX_INVOCATIONS, "COMPLETED"),
        (Reason.LATENCY, "COMPLETED"),
        (Reason.FLAT, "COMPLETED"),
        (Reason.JOB_DURATION, "COMPLETED"),
        (Reason.ERRORS, "FAILED"),
        (Reason.TARGET_DOWN, "FAILED"),
        (Reason.ENGINE_LOST, "FAILED"),
    ],
)
def test_a_stop_condition_is_no_failure(services: Services, engine: HandEngine, reason: Reason, status: str) -> None:
    engine.reason = reason
    engine.release()
    service = services()
    create(service)
    assert ended(service, "job-1")["Status"] == status
    assert [step["Status"] for step in steps_of(service, "job-1")] == [status]


def test_stop_while_a_test_runs_keeps_its_results(services: Services, engine: HandEngine) -> None:
    service = services()
    instances = ("ml.c5.large", "ml.c5.xlarge", "ml.m5.large")
    create(service, "job-1", instances, ResourceLimit={"MaxParallelOfTests": 1})
    engine.started.get(timeout=60)
    stop(service)
    job = ended(service, "job-1")
    assert job["Status"] == "STOPPED"
    assert [step["Status"] for step in steps_of(service, "job-1")] == ["STOPPED"] * 3
    (kept,) = job["InferenceRecommendations"]
    assert kept["EndpointConfiguration"]["InstanceType"] == "ml.c5.large"
    assert engine.started.empty()


def test_stop_of_a_waiting_job_is_immediate(services: Services, engine: HandEngine) -> None:
    service = services()
    for i in range(10):
        create(service, f"busy-{i}")
    for _ in range(10):
        engine.started.get(timeout=60)
    create(service, "waiting")
    assert described(service, "waiting")["Status"] == "PENDING"
    stop(service, "waiting")
    assert described(service, "waiting")["Status"] == "STOPPED"
    assert "CompletionTime" in described(service, "waiting")


def test_stop_of_an_ended_job_changes_nothing(services: Services, engine: HandEngine) -> None:
    engine.release()
    service = services()
    create(service)
    before = ended(service, "job-1")
    stop(service)
    assert described(service, "job-1") == before


def test_stop_right_after_creation_always_ends(services: Services, engine: HandEngine) -> None:
    """Whatever the launcher is doing at that moment."""
    service = services()
    for i in range(40):
        create(service, f"job-{i}")
        stop(service, f"job-{i}")
    assert {ended(service, f"job-{i}")["Status"] for i in range(40)} == {"STOPPED"}
    statuses = {step["Status"] for i in range(40) for step in steps_of(service, f"job-{i}")}
    assert statuses <= {"STOPPED"}


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (10, 4)])
def test_at_most_so_many_tests_at_once(services: Services, engine: HandEngine, limit: int, most: int) -> None:
    service = services()
    instances = ("ml.c5.large", "ml.c5.xlarge", "ml.m5.large", "ml.m5.xlarge")
    create(service, "job-1", instances, ResourceLimit={"MaxParallelOfTests": limit})
    for _ in range(most):
        engine.started.get(timeout=60)
    engine.release()
    assert ended(service, "job-1")["Status"] == "COMPLETED"
    assert engine.most == most


def test_tests_over_the_limit_are_named_and_not_run(services: Services, engine: HandEngine) -> None:
    engine.release()
    service = services()
    request = job_request(ResourceLimit={"MaxNumberOfTests": 2})
    values = {"Name": "OMP_NUM_THREADS", "Value": ["1", "2", "4"]}
    request["InputConfig"]["EndpointConfigurations"][0]["EnvironmentParameterRanges"] = {
        "CategoricalParameterRanges": [values]
    }
    service.create_inference_recommendations_job(request)
    assert len(ended(service, "job-1")["InferenceRecommendations"]) == 2
    steps = steps_of(service, "job-1")
    assert [step["Status"] for step in steps] == ["COMPLETED", "COMPLETED", "STOPPED"]
    assert "MaxNumberOfTests, 2" in steps[2]["InferenceBenchmark"]["FailureReason"]
    environments = [step["InferenceBenchmark"]["ModelConfiguration"]["EnvironmentParameters"] for step in steps]
    assert environments == [[], [], [{"Key": "OMP_NUM_THREADS", "ValueType": "string", "Value": "4"}]]
    note = f"Note: not applied: OMP_NUM_THREADS=1, because {NOWHERE} of the fleet file stands in for this endpoint"
    assert steps[0]["InferenceBenchmark"]["FailureReason"] == note


def test_an_existing_endpoint_is_tested_besides_the_configurations(services: Services, engine: HandEngine) -> None:
    engine.release()
    service = services()
    create(service, Endpoints=[{"EndpointName": "mine"}])
    job = ended(service, "job-1")
    (performance,) = job["EndpointPerformances"]
    assert performance["EndpointInfo"] == {"EndpointName": "mine"}
    assert set(performance["Metrics"]) == {"MaxInvocations", "ModelLatency"}
    assert len(job["InferenceRecommendations"]) == 1


def test_closing_fails_what_runs_and_leaves_what_waits(services: Services, engine: HandEngine, tmp_path: Any) -> None:
    state = tmp_path / "state"
    first = services(state=state)
    for i in range(12):
        create(first, f"job-{i:02}")
    for _ in range(10):
        engine.started.get(timeout=60)
    first.close()
    engine.release()
    second = services(state=state)
    jobs = [ended(second, f"job-{i:02}") for i in range(12)]
    assert sorted(job["Status"] for job in jobs) == ["COMPLETED"] * 2 + ["FAILED"] * 10
    failed = next(job for job in jobs if job["Status"] == "FAILED")
    assert "was shut down while this job was running" in failed["FailureReason"]
    assert [step["Status"] for step in steps_of(second, failed["JobName"])] == ["FAILED"]


def test_tags(services: Services) -> None:
    service = services()
    request = job_request()
    request["Tags"] = [{"Key": "a", "Value": "1"}]
    arn = service.create_inference_recommendations_job(request)["JobArn"]
    assert "Tags" not in described(service, "job-1")
    assert service.list_tags({"ResourceArn": arn}) == {"Tags": [{"Key": "a", "Value": "1"}]}
    added = service.add_tags({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]})
    assert added == {"Tags": [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]}
    assert service.delete_tags({"ResourceArn": arn, "TagKeys": ["a", "x"]}) == {}
    assert service.list_tags({"ResourceArn": arn}) == {"Tags": [{"Key": "b", "Value": ""}]}
    too_many = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
    for tags in (
        too_many,
        [{"Key": "aws:x", "Value": ""}],
        [{"Key": "d", "Value": ""}] * 2,
        [{"Key": "", "Value": ""}],
    ):
        assert refusal(service.add_tags, {"ResourceArn": arn, "Tags": tags}).code == "ValidationException"
    assert service.owns(arn)
    assert service.owns(arn + "x")
    assert refusal(service.list_tags, {"ResourceArn": arn + "x"}).code == "ResourceNotFound"
    elsewhere = arn.replace("us-east-1", "eu-west-1")  # one server is one region
    assert service.list_tags({"ResourceArn": elsewhere}) == service.list_tags({"ResourceArn": arn})
    for other in ("arn:aws:sagemaker:us-east-1:123456789012:endpoint/job-1", arn.replace("123456789012", "1" * 12), ""):
        assert not service.owns(other)
        assert refusal(service.list_tags, {"ResourceArn": other}).code == "ValidationException"


@pytest.mark.parametrize(
    ("region", "start"),
    [("eu-central-1", "arn:aws:"), ("cn-north-1", "arn:aws-cn:"), ("us-gov-west-1", "arn:aws-us-gov:")],
)
def test_arns_have_their_partition(services: Services, region: str, start: str) -> None:
    arn = create(services(region=region, account="999999999999"))
    assert arn == f"{start}sagemaker:{region}:999999999999:inference-recommendations-job/job-1"


def test_what_the_model_says_is_kept_with_the_job(services: Services, engine: HandEngine) -> None:
    asked: list[str] = []

    def reader(reference: str) -> ModelFacts:
        asked.append(reference)
        url = "s3://bucket/payload.tar.gz"
        return ModelFacts(domain="OTHER", sample_payload_url=url, content_types=("text/csv",))

    fetched: list[str] = []
    archive = packed(a=b"{}")

    def payload(url: str) -> bytes:
        fetched.append(url)
        return archive

    service = services(model_reader=reader, payload_reader=payload)
    create(service)
    plan = engine.started.get(timeout=60)
    assert plan.payload.content_type == "text/csv"
    assert plan.payload.path is not None
    with open(plan.payload.path, "rb") as file:
        assert file.read() == archive
    engine.release()
    ended(service, "job-1")
    assert asked == ["arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1"]
    assert fetched == ["s3://bucket/payload.tar.gz"]
    (item,) = service.list_inference_recommendations_jobs({})["InferenceRecommendationsJobs"]
    assert item["SamplePayloadUrl"] == "s3://bucket/payload.tar.gz"


def test_a_known_package_must_name_its_domain(services: Services) -> None:
    service = services(model_reader=lambda reference: ModelFacts(task="OTHER"))
    problem = refusal(service.create_inference_recommendations_job, job_request())
    assert problem.code == "ValidationException"
    assert problem.message.startswith("Specify Domain in the Model Package version 1.")
    unknown = services(model_reader=lambda reference: None)
    unknown.create_inference_recommendations_job(job_request())
    relaxed = services(model_reader=lambda reference: ModelFacts(), profile="relaxed")
    relaxed.create_inference_recommendations_job(job_request())


def test_an_unreadable_payload_fails_the_job(services: Services) -> None:
    def payload(url: str) -> bytes:
        raise OSError(f"{url} is not there")

    def reader(reference: str) -> ModelFacts:
        return ModelFacts(domain="OTHER", sample_payload_url="s3://b/p.tar.gz")

    service = services(payload_reader=payload, model_reader=reader)
    create(service)
    job = ended(service, "job-1")
    assert job["Status"] == "FAILED"
    assert job["FailureReason"] == f"{PAYLOAD_ERROR}: s3://b/p.tar.gz is not there"
    assert [step["Status"] for step in steps_of(service, "job-1")] == ["FAILED"]


@pytest.mark.parametrize(
    ("archive", "rule"),
    [
        (b"not an archive", "no archive or a damaged one"),
        (b"", "truncated"),
        (packed(), "has no file with content"),
        (packed(a=b""), "has no file with content"),
        (packed(a=b"{}")[:-20], "truncated"),
    ],
)
def test_a_bad_archive_fails_the_job_by_the_documented_reason(services: Services, archive: bytes, rule: str) -> None:
    facts = ModelFacts(domain="OTHER", sample_payload_url="s3://b/p.tar.gz?X-Amz-Signature=5ec7e7")
    heard = Heard()
    service = services(payload_reader=lambda url: archive, model_reader=lambda reference: facts, events=heard)
    create(service)
    job = ended(service, "job-1")
    assert job["Status"] == "FAILED"
    (step,) = steps_of(service, "job-1")
    for told in (job["FailureReason"], step["InferenceBenchmark"]["FailureReason"], str(heard.lines)):
        assert PAYLOAD_ERROR in told
        assert rule in told
        assert "s3://b/p.tar.gz" in told
        assert tempfile.gettempdir() not in told
        assert "5ec7e7" not in told


def test_events_go_to_the_streams_that_aws_names(services: Services, engine: HandEngine) -> None:
    heard = Heard()
    service = services(events=heard)
    create(service)
    engine.started.get(timeout=60)
    engine.reason = Reason.FLAT
    engine.release()
    job = ended(service, "job-1")
    endpoint = job["InferenceRecommendations"][0]["EndpointConfiguration"]["EndpointName"]
    streams = {stream for stream, _, _ in heard.lines}
    assert streams == {"job-1/execution", f"job-1/Endpoint/{endpoint}"}
    assert any("FLAT" in text and "no more invocations" in text for _, text, _ in heard.lines)
    by_name = {point.name: point for point in heard.points}
    assert {"NumberOfUsers", "ClientInvocations", "ClientInvocationErrors", "ClientLatency", "ModelLatency"} <= set(
        by_name
    )
    assert by_name["ClientLatency"].dimensions == {"JobName": "job-1", "EndpointName": endpoint}
    assert sum(p.values[0] for p in heard.points if p.name == "ClientInvocations") == 700
    latencies = [p for p in heard.points if p.name == "ClientLatency"]
    assert sum(n for p in latencies for n in p.counts) == 700
    whole = [p.time_s for p in heard.points if p.time_s % 60]
    assert set(whole) <= {min(p.time_s for p in heard.points)}, "all but the first minute are whole ones"
    times = [time_s for stream, _, time_s in heard.lines if stream == "job-1/execution"]
    assert times == sorted(times)
    assert job["CreationTime"] <= times[0] <= times[-1] <= job["CompletionTime"] == job["LastModifiedTime"]
    assert all(job["CreationTime"] <= p.time_s < job["LastModifiedTime"] for p in heard.points)


def test_real_requests_are_accepted_and_broken_ones_refused(services: Services) -> None:
    service = services(quota=None)
    files = sorted(path for path in DATA.glob("*.json") if path.name != "observed-results.json")
    for path in files:
        service.create_inference_recommendations_job(json.loads(path.read_text()))
    for path in sorted((DATA / "invalid").glob("*.json")):
        problem = refusal(service.create_inference_recommendations_job, json.loads(path.read_text()))
        assert problem.code == "ValidationException", path.name
    awaited(
        lambda: len(service.list_inference_recommendations_jobs({"MaxResults": 100})["InferenceRecommendationsJobs"]),
        lambda found: found == len(files) == 14,
    )

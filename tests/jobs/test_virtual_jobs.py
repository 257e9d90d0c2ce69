"""Whole jobs in virtual time: the published requests with the built-in fleet, and what only whole jobs show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jobkit import DATA, Heard, described, ended, job_request, steps_of

from loadtest.core.judge.decision import Reason
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.service import JobService, open_service
from loadtest.jobs.store import JobStore

Services = Callable[..., JobService]

# Seven or eight endpoints with up to eight levels each: some seconds.
BIG = {"01-default-hf-bert-package", "03-default-existing-endpoint", "04-default-resnet18-containerconfig"}
BIG |= {"20-default-xgboost-package"}
JOBS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in BIG else [])
    for path in sorted(DATA.glob("*.json"))
    if path.name != "observed-results.json"
]


@pytest.fixture
def virtual(services: Services, tmp_path: Path) -> JobService:
    fleet = tmp_path / "existing.yaml"
    fleet.write_text("endpoints: {my-existing-endpoint: {instance_type: ml.m5.xlarge}}\n")
    return services(engine="sim", fleet_file=fleet)


@pytest.fixture
def leisurely(services: Services, tmp_path: Path) -> JobService:
    """With a model so slow that there is little to compute."""
    fleet = tmp_path / "leisurely.yaml"
    fleet.write_text("model: {cpu_ms: 500}\n")
    return services(engine="sim", fleet_file=fleet)


@pytest.mark.slow  # tests/emulator creates and runs the same ones through the API
@pytest.mark.parametrize("path", JOBS)
def test_every_published_job_completes(virtual: JobService, path: Path) -> None:
    request = json.loads(path.read_text())
    virtual.create_inference_recommendations_job(request)
    job = ended(virtual, request["JobName"])
    assert job["Status"] == "COMPLETED"
    assert job["CompletionTime"] > job["CreationTime"] + 60, "the job's clock is the virtual one"
    recommendations = job["InferenceRecommendations"]
    target = request.get("StoppingConditions", {}).get("MaxInvocations")
    for each in recommendations:
        metrics, configuration = each["Metrics"], each["EndpointConfiguration"]
        assert metrics["MaxInvocations"] >= 1
        assert (
            0
            < metrics["CostPerInference"]
            == pytest.approx(metrics["CostPerHour"] / (metrics["MaxInvocations"] * 60), rel=1e-6)
        )
        assert each["InvocationStartTime"] < each["InvocationEndTime"] <= job["CompletionTime"]
        if target is not None:
            assert metrics["MaxInvocations"] >= target
        assert ("InitialInstanceCount" in configuration) == ("InstanceType" in configuration)
    costs = [each["Metrics"]["CostPerInference"] for each in recommendations]
    assert costs == sorted(costs, reverse=True), "the cheapest is last (R7)"
    asked = {c["InstanceType"] for c in request["InputConfig"].get("EndpointConfigurations", [])}
    assert asked <= {each["EndpointConfiguration"].get("InstanceType") for each in recommendations}
    assert ("EndpointPerformances" in job) == ("Endpoints" in request["InputConfig"])


def test_the_same_job_gives_the_same_figures(leisurely: JobService) -> None:
    found = []
    for name in ("one", "two"):
        leisurely.create_inference_recommendations_job(job_request(name, ("ml.c5.xlarge", "ml.m5.large")))
        found.append([each["Metrics"] for each in ended(leisurely, name)["InferenceRecommendations"]])
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


def test_a_bigger_instance_is_found_to_serve_more(services: Services, tmp_path: Path) -> None:
    """A Default job, at the plateau: twice the vCPUs serve twice as much."""
    fleet = tmp_path / "small.yaml"
    fleet.write_text(
        "search: {users: [1, 2, 3, 4, 6, 8, 12], level_s: 20}\nmodel: {accelerator_ms: null, cpu_ms: 100}\n"
    )
    service = services(engine="sim", fleet_file=fleet)
    request = job_request("default", JobDurationInSeconds=3600)
    request["JobType"] = "Default"
    config = request["InputConfig"]
    del config["TrafficPattern"], config["EndpointConfigurations"], config["JobDurationInSeconds"]
    config["ContainerConfig"] = {"SupportedInstanceTypes": ["ml.c5.2xlarge", "ml.c5.large", "ml.c5.xlarge"]}
    service.create_inference_recommendations_job(request)
    job = ended(service, "default")
    rates = {
        each["EndpointConfiguration"]["InstanceType"]: each["Metrics"]["MaxInvocations"]
        for each in job["InferenceRecommendations"]
    }
    per_server = 60_000 / (101.5 * 1.02)  # median 101.5 ms, sigma 0.2: the mean is 2 % more
    for name, servers in (("ml.c5.large", 2), ("ml.c5.xlarge", 4), ("ml.c5.2xlarge", 8)):
        assert rates[name] == pytest.approx(servers * per_server, rel=0.05)
    assert {each["EndpointConfiguration"]["InitialInstanceCount"] for each in job["InferenceRecommendations"]} == {1}


def test_as_many_instances_as_the_target_needs(leisurely: JobService) -> None:
    """R2 to R4 on a whole job: one instance does not reach the target, so several are recommended and paid for."""
    phases = [{"InitialNumberOfUsers": 1, "SpawnRate": 3, "DurationInSeconds": 180}]
    request = job_request("job", ("ml.c5.large",), TrafficPattern={"TrafficType": "PHASES", "Phases": phases})
    request["StoppingConditions"] = {"MaxInvocations": 1000}
    leisurely.create_inference_recommendations_job(request)
    (found,) = ended(leisurely, "job")["InferenceRecommendations"]
    run = leisurely.run_result("job", 0)
    assert run is not None
    per_instance = run.max_invocations_per_min
    assert per_instance is not None
    assert per_instance == pytest.approx(2 * 60 / 0.51, rel=0.05)  # two vCPUs, 510 ms each on average
    count = found["EndpointConfiguration"]["InitialInstanceCount"]
    assert count == -(-1000 // int(per_instance)) == 5
    assert found["Metrics"]["MaxInvocations"] == int(per_instance) * count
    assert found["Metrics"]["CostPerHour"] == pytest.approx(0.102 * count, rel=1e-6)


def test_the_job_s_duration_is_a_hard_limit(leisurely: JobService) -> None:
    instances = ("ml.c5.large", "ml.c5.xlarge", "ml.m5.large")
    limits = {"MaxParallelOfTests": 1}
    leisurely.create_inference_recommendations_job(
        job_request("job", instances, JobDurationInSeconds=180, ResourceLimit=limits)
    )
    job = ended(leisurely, "job")
    assert job["Status"] == "COMPLETED"
    assert job["CompletionTime"] - job["CreationTime"] == pytest.approx(180, abs=5)
    first, second, third = steps_of(leisurely, "job")
    assert [step["Status"] for step in (first, second, third)] == ["COMPLETED", "COMPLETED", "STOPPED"]
    assert "JobDurationInSeconds of 180" in third["InferenceBenchmark"]["FailureReason"]
    reasons = [run.reason if (run := leisurely.run_result("job", i)) else None for i in range(3)]
    assert reasons == [Reason.CURVE_END, Reason.JOB_DURATION, None]
    assert second["InferenceBenchmark"]["Metrics"]["MaxInvocations"] > 0


@pytest.mark.parametrize(("parallel", "length_s"), [(1, 360), (2, 240), (None, 120)])
def test_parallel_tests_share_the_virtual_time(leisurely: JobService, parallel: int | None, length_s: float) -> None:
    instances = ("ml.c5.large", "ml.c5.xlarge", "ml.m5.large")
    limits = {} if parallel is None else {"ResourceLimit": {"MaxParallelOfTests": parallel}}
    leisurely.create_inference_recommendations_job(job_request("job", instances, **limits))
    job = ended(leisurely, "job")
    assert job["CompletionTime"] - job["CreationTime"] == pytest.approx(length_s, abs=5)


@pytest.mark.parametrize("stop", [False, True])
def test_a_job_has_one_clock_in_every_answer(services: Services, tmp_path: Path, stop: bool) -> None:
    """Twenty minutes in virtual time, two tests side by side; and one that somebody stops by the wall's clock."""
    heard = Heard()
    fleet = tmp_path / "leisurely.yaml"
    fleet.write_text("model: {cpu_ms: 20000}\n")
    service = services(engine="sim", fleet_file=fleet, events=heard)
    instances = ("ml.c5.large", "ml.m5.large", "ml.m5.xlarge")
    phases = [{"InitialNumberOfUsers": 1, "SpawnRate": 0, "DurationInSeconds": 300}] * 2
    changes: Any = {"TrafficPattern": {"TrafficType": "PHASES", "Phases": phases}, "JobDurationInSeconds": 18_000}
    changes["ResourceLimit"] = {"MaxParallelOfTests": 2}
    service.create_inference_recommendations_job(job_request("job", instances, **changes))
    modified = []
    while (job := described(service, "job"))["Status"] not in ("COMPLETED", "STOPPED"):
        modified.append(job["LastModifiedTime"])
        if stop and job["Status"] == "IN_PROGRESS":
            service.stop_inference_recommendations_job({"JobName": "job"})
        time.sleep(0.002)
    created, completed = job["CreationTime"], job["CompletionTime"]
    modified.append(job["LastModifiedTime"])
    assert modified == sorted(modified)
    assert created <= modified[0]
    assert modified[-1] == completed
    for step in steps_of(service, "job"):
        benchmark = step["InferenceBenchmark"]
        if "InvocationStartTime" in benchmark:
            assert created <= benchmark["InvocationStartTime"] <= benchmark["InvocationEndTime"] <= completed
    for stream in {stream for stream, _, _ in heard.lines}:
        times = [time_s for name, _, time_s in heard.lines if name == stream]
        assert times == sorted(times)
        assert created <= times[0] <= times[-1] <= completed
    assert all(created <= point.time_s < completed for point in heard.points)
    if not stop:
        assert completed - created > 1200
        assert heard.lines[-1] == ("job/execution", "Job job COMPLETED", completed)
    (item,) = service.list_inference_recommendations_jobs({})["InferenceRecommendationsJobs"]
    assert (item["CompletionTime"], item["LastModifiedTime"]) == (completed, completed)


def test_a_fault_of_ours_costs_no_line(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    fleet = tmp_path / "leisurely.yaml"
    fleet.write_text("model: {cpu_ms: 500}\n")
    service = services(engine="sim", fleet_file=fleet, events=heard)

    def broken(*_: Any) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(JobStore, "put_run", broken)
    service.create_inference_recommendations_job(job_request("job"))
    job = ended(service, "job")
    assert job["FailureReason"] == "InternalFailure: RuntimeError: no such thing"
    assert any("Load test stopped" in text for _, text, _ in heard.lines)
    stream, text, time_s = heard.lines[-1]
    assert (stream, text) == ("job/execution", f"Job job FAILED: {job['FailureReason']}")
    assert max(time_s for _, _, time_s in heard.lines) == time_s == job["CompletionTime"]


def test_a_running_job_can_be_stopped_and_keeps_what_it_has(virtual: JobService) -> None:
    phases = [{"InitialNumberOfUsers": 3, "SpawnRate": 3, "DurationInSeconds": 3600}]
    traffic = {"TrafficType": "PHASES", "Phases": phases}
    request = job_request("job", ("ml.c5.large", "ml.c5.xlarge"), TrafficPattern=traffic)
    request["StoppingConditions"] = {"FlatInvocations": "Continue"}
    virtual.create_inference_recommendations_job(request)
    while described(virtual, "job")["Status"] == "PENDING":
        time.sleep(0.001)
    virtual.stop_inference_recommendations_job({"JobName": "job"})
    job = ended(virtual, "job")
    assert job["Status"] == "STOPPED"
    assert job["CompletionTime"] - job["CreationTime"] < 3000
    assert {step["Status"] for step in steps_of(virtual, "job")} == {"STOPPED"}
    run = virtual.run_result("job", 0)
    assert run is None or (run.reason is Reason.USER and run.windows)


def test_a_real_target_cannot_be_tested_in_virtual_time(services: Services) -> None:
    service = services(engine="sim")  # with the fleet file whose instances are real targets
    service.create_inference_recommendations_job(job_request())
    job = ended(service, "job-1")
    assert job["Status"] == "FAILED"
    assert "only be tested in real time" in job["FailureReason"]


def test_without_prices_there_are_no_costs(services: Services, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"ml.m5.large": 1.5}')
    fleet = tmp_path / "fleet.json"
    fleet.write_text('{"model": {"cpu_ms": 500}}')
    service = services(engine="sim", fleet_file=fleet, prices_file=prices)
    service.create_inference_recommendations_job(job_request("job", ("ml.m5.large", "ml.c5.large")))
    first, last = ended(service, "job")["InferenceRecommendations"]
    assert first["EndpointConfiguration"]["InstanceType"] == "ml.c5.large"
    assert not {"CostPerHour", "CostPerInference"} & set(first["Metrics"])
    assert last["Metrics"]["CostPerHour"] == 1.5


def test_what_is_not_known_of_an_instance_is_told_with_its_figures(services: Services, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("model: {cpu_ms: 500}\nendpoints: {typeless: {}}\n")
    service = services(engine="sim", fleet_file=fleet, profile="relaxed")
    request = job_request("job", ("ml.c4.large", "ml.c5.large"))
    request["InputConfig"]["Endpoints"] = [{"EndpointName": "typeless"}]
    service.create_inference_recommendations_job(request)
    ended(service, "job")
    told = [step["InferenceBenchmark"].get("FailureReason") for step in steps_of(service, "job")]
    assert told == [
        "Note: what it runs on is not known: modelled as ml.m5.xlarge, by the fleet file",
        "Note: ml.c4.large is not in the table of instance types: vCPUs and memory by its name, no accelerator; "
        "no price of ml.c4.large is known, so its costs are not given",
        None,
    ]


def test_the_fleet_has_a_model_of_every_accelerator_in_the_table() -> None:
    fleet = Fleet.load(live=False)
    assert {each.accelerator for each in fleet.catalogue.known.values()} - {""} <= set(fleet.file.accelerators)


def test_a_model_that_does_not_fit_fails_its_test_only(virtual: JobService) -> None:
    request = job_request()
    request["InputConfig"]["EndpointConfigurations"] = [
        {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}},
        {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 4}},
    ]
    request["InputConfig"]["ContainerConfig"] = {"Domain": "COMPUTER_VISION", "Task": "IMAGE_CLASSIFICATION"}
    virtual.create_inference_recommendations_job(request)
    job = ended(virtual, "job-1")
    assert job["Status"] == "COMPLETED"
    failed, good = steps_of(virtual, "job-1")
    assert "do not fit" in failed["InferenceBenchmark"]["FailureReason"]
    metrics = good["InferenceBenchmark"]["Metrics"]
    assert metrics["ModelSetupTime"] > 1_000_000
    assert "CpuUtilization" not in metrics
    assert "InitialInstanceCount" not in good["InferenceBenchmark"]["EndpointConfiguration"]


def test_a_model_that_is_too_slow_for_its_threshold_has_no_figures(virtual: JobService) -> None:
    """The latency condition held at no rate, so there is nothing to recommend; the job is complete all the same."""
    request = job_request()
    request["StoppingConditions"] = {"ModelLatencyThresholds": [{"Percentile": "P95", "ValueInMilliseconds": 1}]}
    virtual.create_inference_recommendations_job(request)
    job = ended(virtual, "job-1")
    assert job["Status"] == "COMPLETED"
    assert "InferenceRecommendations" not in job
    assert "Metrics" not in steps_of(virtual, "job-1")[0]["InferenceBenchmark"]


@pytest.mark.live
def test_real_traffic_against_a_live_endpoint_of_the_fleet(tmp_path: Path) -> None:
    """The one test with processes: traffic runs, everyone can invoke the endpoint meanwhile, a stop is obeyed."""
    from urllib.request import Request, urlopen

    heard = Heard()
    service = open_service(engine="live", profile="relaxed", events=heard)
    try:
        phases = [{"InitialNumberOfUsers": 2, "SpawnRate": 0, "DurationInSeconds": 300}]
        traffic: dict[str, Any] = {"TrafficType": "PHASES", "Phases": phases}
        service.create_inference_recommendations_job(job_request("live", TrafficPattern=traffic))
        while not (steps := steps_of(service, "live")):
            time.sleep(0.01)
        name = steps[0]["InferenceBenchmark"]["EndpointConfiguration"]["EndpointName"]
        until_s = time.monotonic() + 60
        while (url := service.endpoint_url(name)) is None:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        with urlopen(Request(f"{url}/endpoints/{name}/invocations", data=b"{}"), timeout=30) as answer:
            assert answer.status == 200
        # Until the traffic is really there.
        while json.load(urlopen(f"{url}/loadtest/stats", timeout=30))["requests"] < 50:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        service.stop_inference_recommendations_job({"JobName": "live"})
        job = ended(service, "live")
        assert job["Status"] == "STOPPED"
        run = service.run_result("live", 0)
        assert run is not None
        assert run.reason is Reason.USER
        assert run.totals.ok >= 10
        assert service.endpoint_url(name) is None
        created, completed = job["CreationTime"], job["CompletionTime"]
        assert completed == job["LastModifiedTime"]
        (step,) = steps_of(service, "live")
        begun, ended_s = (step["InferenceBenchmark"][f"Invocation{each}Time"] for each in ("Start", "End"))
        assert created <= begun < ended_s <= completed
        times = [time_s for stream, _, time_s in heard.lines if stream.endswith(name)]
        assert times == sorted(times)
        assert created <= times[0] <= begun
        assert ended_s == times[-1] <= completed
        assert all(begun <= point.time_s < ended_s for point in heard.points)
        counted = [point.values[0] for point in heard.points if point.name == "ClientInvocations"]
        assert sum(counted) == run.totals.counts.completed
    finally:
        service.close()

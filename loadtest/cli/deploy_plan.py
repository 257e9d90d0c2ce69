"""What `--deploy` would make and what it would cost, and what forbids that it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import loadtest.api as api
from loadtest.aws.budget import hourly_usd, no_price
from loadtest.aws.journal import open_journals
from loadtest.core.request.placeholder import placeholders
from loadtest.core.request.spec import JobSpec, LoadTest
from loadtest.core.traffic.curve import TrafficCurve
from loadtest.errors import Problem, SpecError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.models import ModelFacts, ModelReader, facts_of
from loadtest.jobs.prices import Prices
from loadtest.jobs.search import default_tests
from loadtest.jobs.testrun import traffic_of
from loadtest.recommendation.job import NOT_ITS_OWN

__all__ = ["check_journals", "planned"]

CREATION_S = 900.0  # that an endpoint may take to come and to go, for the estimate


def planned(
    file: str, own: Mapping[str, Any], given: Mapping[str, Any], models: ModelReader, prices: Prices, region: str
) -> tuple[JobSpec, list[str]]:
    """The job, and lines that say what it would make. own, given: flags of --deploy, and of `recommend`.

    Raises SpecError with everything that is wrong with the flags and the job.
    """
    root = given["payload_root"] or ""
    spec = api.read_job(file, profile=given["profile"], payload_root=root, own=NOT_ITS_OWN).spec
    problems = [*_flag_problems(own, given), *_role_problems(own, spec)]
    if problems:
        raise SpecError(problems)
    facts = facts_of(spec.request, models)
    named = spec.model_package_arn or spec.model_name
    if named is not None and not facts.known:
        member = "ModelName" if spec.model_package_arn is None else "ModelPackageVersionArn"
        rule = f"does not exist in {region}, in the account of these credentials"
        raise SpecError([Problem(f"InputConfig.{member}", named, rule, "create it first")])
    tests = _tests(spec, facts, given)
    made = [test.configuration for test in tests if test.configuration is not None]
    if made and not spec.endpoints and all(hourly_usd(each, prices) is None for each in made):
        raise SpecError([Problem("--budget", f"{own['budget']:g}", no_price(made, region))])
    return spec, list(_lines(spec, tests, prices, own["budget"], region))


def _flag_problems(own: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Problem]:
    if given["mock"] or given["fleet"] or given["engine"] != "live":
        other = "--mock" if given["mock"] else "--fleet" if given["fleet"] else "--engine"
        yield Problem(other, "", "cannot be with --deploy", "give one of them")
    if own["budget"] is None:
        yield Problem("--budget", "", "is missing: endpoints cost money as long as they are there", "give USD")


def _role_problems(own: Mapping[str, Any], spec: JobSpec) -> Iterator[Problem]:
    if "RoleArn" in placeholders(spec.request) and not own["role"]:
        yield Problem("--role", "", "the job's RoleArn is a stand-in", "give the ARN of an execution role")


def _tests(spec: JobSpec, facts: ModelFacts, given: Mapping[str, Any]) -> Sequence[LoadTest]:
    """Those whose endpoints are to be made. Raises SpecError if nobody says on what instances: guesses cost money."""
    if spec.job_type != "Default" or spec.configurations:
        tests = spec.tests()[0]
    else:
        if not facts.instance_types and not spec.endpoints:
            rule, advice = "nothing says on what instances it is to run", "add EndpointConfigurations"
            raise SpecError([Problem("InputConfig.EndpointConfigurations", "", rule, advice)])
        tests = default_tests(spec, facts, Fleet.load(live=True).file, given["profile"])[0]
    return [test for test in tests if test.configuration is not None]


def _lines(spec: JobSpec, tests: Sequence[LoadTest], prices: Prices, budget: float, region: str) -> Iterator[str]:
    curve: TrafficCurve = traffic_of(spec, Fleet.load(live=True)).curve
    counted = "1 endpoint, with" if len(tests) == 1 else f"{len(tests)} endpoints, each with"
    yield f"{counted} a model and a configuration, in {region}:"
    total: float | None = 0.0
    for test in tests:
        assert test.configuration is not None
        usd = hourly_usd(test.configuration, prices)
        total = None if usd is None or total is None else total + usd * (curve.end_s + CREATION_S) / 3600
        yield f"  {test.label}: {'no price is known, so it is not made' if usd is None else f'{usd:.4g} USD an hour'}"
    if total is not None:
        each_min = (curve.end_s + CREATION_S) / 60
        yield f"about {total:.2f} USD, if each takes {each_min:.0f} min; all ends before {budget:g} USD"


def check_journals(folders: set[Path], despite: bool) -> None:
    """Raises SpecError if a journal of these folders is open. despite: all the same to the caller."""
    found = [journal for folder in folders for journal in open_journals(folder)]
    if found and not despite:
        advice = "run `loadtest cleanup`, or give --despite-journal"
        rule = "says that {} in an account"
        state = {True: "a run that goes on has something", False: "an earlier run left something"}
        raise SpecError(
            [Problem("journal", str(each.path), rule.format(state[each.running]), advice) for each in found]
        )

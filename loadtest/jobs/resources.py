"""What a new job names must be there, and be of a kind that the service tests: models, packages, endpoints.

Sources: developer guide, "Troubleshoot Inference Recommender errors" and "Get an inference recommendation for an
existing endpoint". The API models no error for a resource that a job names and that does not exist; the words are
those with which SageMaker's other operations answer it.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.core.request.instance_types import BURSTABLE_PREFIX
from loadtest.core.request.spec import JobSpec, Profile
from loadtest.jobs.arn import JobArns
from loadtest.jobs.errors import invalid
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.subject import Subject

__all__ = ["check_resources"]


def check_resources(
    spec: JobSpec, facts: ModelFacts, fleet: Fleet, arns: JobArns, profile: Profile, strict: bool
) -> None:
    """Raises ApiError ValidationException with everything that is missing or cannot be tested.

    strict: a model or package that nobody knows is refused too; else the job runs with what the request says of it.
    """
    found = [*_model_problems(spec, facts, arns, profile, strict)]
    for name in spec.endpoints:
        subject = fleet.existing(name)
        if subject is None:
            found.append(f'Could not find endpoint "{arns.sibling("endpoint", name)}".')
        elif name not in fleet.file.endpoints:  # whoever wrote the fleet file knows what they test
            found.extend(f"Endpoint {name} cannot be tested: {each}" for each in _exclusions(subject, profile))
    if found:
        raise invalid("; ".join(found))


def _model_problems(spec: JobSpec, facts: ModelFacts, arns: JobArns, profile: Profile, strict: bool) -> Iterator[str]:
    if strict and not facts.known:
        if spec.model_package_arn is not None:
            yield f"ModelPackage {spec.model_package_arn} does not exist."
        elif spec.model_name is not None:
            yield f'Could not find model "{arns.sibling("model", spec.model_name)}".'
    if not facts.known or profile != "aws":
        return
    if facts.multi_model:
        yield f"Model {spec.model_name} is of a multi-model container, which is not supported"
    if spec.model_package_arn is None:
        return
    version = spec.model_package_arn.rpartition("/")[2]
    if not facts.domain:
        yield f"Specify Domain in the Model Package version {version}. Domain is a mandatory parameter for the job"
    wanted = {each.inference_specification for each in spec.configurations} - {None}
    for name in sorted(str(each) for each in wanted if each not in facts.specifications):
        yield f"The Model Package version {version} has no inference specification {name}"
    if spec.job_type == "Default" and not spec.configurations and facts.instance_types:
        types = facts.instance_types
        if all(each.startswith(BURSTABLE_PREFIX) for each in types):
            yield f"Burstable instance type {types[0]} is not allowed, and the model supports no other"


def _exclusions(subject: Subject, profile: Profile) -> Iterator[str]:
    """Documented ones, which bind the profile `aws` only. Autoscaling is none here: AWS's own examples test endpoints
    that have it.
    """
    if profile != "aws":
        return
    if len(subject.variants) > 1:
        yield f"it has {len(subject.variants)} variants, and only one is supported"
    if subject.asynchronous:
        yield "it is asynchronous, and only real-time endpoints are supported"
    for variant in subject.variants:
        if variant.serverless is not None:
            yield f"its variant {variant.name} is serverless, and only real-time endpoints are supported"
        if variant.facts.multi_model:
            yield f"its variant {variant.name} has a multi-model container, which is not supported"

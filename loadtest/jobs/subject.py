"""What a test tests, as one value: an endpoint with its production variants, and all of their models that matters.

A subject is made here and nowhere else: of a test's own configuration, or by an `EndpointDirectory` of an endpoint that
exists. Both engines, and whoever invokes the endpoint meanwhile, take environment, serverless configuration, instances
and weights from it. Values only, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from loadtest.core.request.spec import LoadTest, Serverless
from loadtest.jobs.models import ModelFacts

__all__ = ["EndpointDirectory", "Subject", "Variant", "subject_of"]

ANY_VARIANT = "AllTraffic"  # the SDK's name for the variant of an endpoint that has one


@dataclass(frozen=True, slots=True)
class Variant:
    """A production variant: a model on instances, or serverless.

    facts: of its model. environment: of its container, with what a test asks for laid over it.
    instance_type: None if it is serverless, or if nobody knows.
    weight: its share of the requests is in proportion to it. model_name: None: the model has no name here.
    """

    name: str = ANY_VARIANT
    facts: ModelFacts = ModelFacts()
    instance_type: str | None = None
    serverless: Serverless | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    instance_count: int = 1
    weight: float = 1.0
    model_name: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """An endpoint under test. variants: at least one.

    existing: it was there before the job. asynchronous: it takes requests from S3 only.
    asked: the environment that the test itself asks for, which `variants` have already.
    """

    endpoint_name: str
    variants: tuple[Variant, ...] = (Variant(),)
    existing: bool = False
    asynchronous: bool = False
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def variant_name(self) -> str:
        """Of the first variant, the only one of most endpoints."""
        return self.variants[0].name

    @property
    def instance_count(self) -> int:
        """Of all variants together."""
        return sum(variant.instance_count for variant in self.variants)


class EndpointDirectory(Protocol):
    """Endpoints that exist outside of jobs.

    subject: None: there is no such endpoint. url: base URL of a runtime API that serves it; None: nobody does.
    Both raise LoadtestError if there is one that cannot be used, ApiError if there is nobody to ask.
    """

    def subject(self, name: str, /) -> Subject | None: ...

    def url(self, name: str, /) -> str | None: ...


def subject_of(test: LoadTest, endpoint_name: str, facts: ModelFacts, model_name: str | None = None) -> Subject:
    """The endpoint that is made for a configuration of a job; facts: of the job's model.

    AWS names the only variant of such an endpoint as the endpoint itself.
    """
    configuration = test.configuration
    if configuration is None:
        raise ValueError("an existing endpoint is not made of a test")
    asked = dict(test.environment)
    variant = Variant(
        name=endpoint_name,
        facts=facts,
        instance_type=configuration.instance_type,
        serverless=configuration.serverless,
        environment={**facts.environment_of(configuration.inference_specification), **asked},
        model_name=model_name,
    )
    return Subject(endpoint_name, (variant,), asked=asked)

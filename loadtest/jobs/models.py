"""What a job needs to know of the model it tests, and the protocol by which it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

__all__ = ["ModelFacts", "ModelReader", "facts_of", "model_facts", "package_facts"]

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model, from its package, from itself, or from ContainerConfig; None and () mean that it does
    not say.

    known: somebody looked the model up and found it.
    domain, task, framework, nearest_model: ContainerConfig's words (COMPUTER_VISION, IMAGE_CLASSIFICATION, PYTORCH).
    content_types: the first one is sent. instance_types: SupportedRealtimeInferenceInstanceTypes.
    response_types: SupportedResponseMIMETypes. environment: of its container. multi_model: that is to hold many models.
    specifications: the environments of a package's AdditionalInferenceSpecifications, by name.
    """

    known: bool = False
    domain: str | None = None
    task: str | None = None
    framework: str | None = None
    framework_version: str | None = None
    nearest_model: str | None = None
    sample_payload_url: str | None = None
    content_types: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    environment: Environment = field(default_factory=dict)
    specifications: Mapping[str, Environment] = field(default_factory=dict)
    multi_model: bool = False
    response_types: tuple[str, ...] = ()

    def environment_of(self, specification: str | None) -> Environment:
        """The environment of an InferenceSpecificationName; None: the package's or the model's own."""
        return self.specifications.get(specification or "", self.environment)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelFacts:
        """The inverse of `to_dict`, also after a trip through JSON."""
        lists = {name: tuple(values.get(name, ())) for name in ("content_types", "instance_types", "response_types")}
        return cls(**{**values, **lists})


class ModelReader(Protocol):
    """Looks a model up: by ModelPackageVersionArn or ModelName; None: it is not known.

    Raises ApiError if there is nobody to ask.
    """

    def __call__(self, reference: str, /) -> ModelFacts | None: ...


def facts_of(request: Mapping[str, Any], reader: ModelReader | None) -> ModelFacts:
    """The model's facts: what ContainerConfig says, and what it leaves out from the model itself."""
    config = request["InputConfig"]
    reference = config.get("ModelPackageVersionArn") or config.get("ModelName")
    found = reader(reference) if reader and reference else None
    known = found or ModelFacts()
    container = config.get("ContainerConfig") or {}
    payload = container.get("PayloadConfig") or {}
    return ModelFacts(
        known=found is not None,
        domain=container.get("Domain") or known.domain,
        task=container.get("Task") or known.task,
        framework=container.get("Framework") or known.framework,
        framework_version=container.get("FrameworkVersion") or known.framework_version,
        nearest_model=container.get("NearestModelName") or known.nearest_model,
        sample_payload_url=payload.get("SamplePayloadUrl") or known.sample_payload_url,
        content_types=tuple(payload.get("SupportedContentTypes") or known.content_types),
        instance_types=tuple(container.get("SupportedInstanceTypes") or known.instance_types),
        environment=known.environment,
        specifications=known.specifications,
        multi_model=known.multi_model,
        response_types=tuple(container.get("SupportedResponseMIMETypes") or known.response_types),
    )


def package_facts(package: Mapping[str, Any]) -> ModelFacts:
    """Of DescribeModelPackage's answer."""
    specification = package.get("InferenceSpecification") or {}
    container = _first(specification.get("Containers"))
    return ModelFacts(
        domain=package.get("Domain"),
        task=package.get("Task"),
        framework=container.get("Framework"),
        framework_version=container.get("FrameworkVersion"),
        nearest_model=container.get("NearestModelName"),
        sample_payload_url=package.get("SamplePayloadUrl"),
        content_types=tuple(specification.get("SupportedContentTypes") or ()),
        instance_types=tuple(specification.get("SupportedRealtimeInferenceInstanceTypes") or ()),
        environment=dict(container.get("Environment") or {}),
        specifications={
            each["Name"]: dict(_first(each.get("Containers")).get("Environment") or {})
            for each in package.get("AdditionalInferenceSpecifications") or ()
        },
        response_types=tuple(specification.get("SupportedResponseMIMETypes") or ()),
    )


def model_facts(model: Mapping[str, Any], of_package: Callable[[str], ModelFacts | None]) -> ModelFacts:
    """Of DescribeModel's answer. of_package: the facts of a package by its ARN; None: it is not known.

    A model that was made from a package (`Containers[].ModelPackageName`) has the package's facts; its own environment
    goes before that of the package. Of several containers the first counts.
    """
    container = model.get("PrimaryContainer") or _first(model.get("Containers"))
    package = container.get("ModelPackageName")
    known = (of_package(package) if package and ":model-package/" in package else None) or ModelFacts()
    environment = {**known.environment, **(container.get("Environment") or {})}
    return replace(known, environment=environment, multi_model=container.get("Mode") == "MultiModel")


def _first(containers: Sequence[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    return containers[0] if containers else {}

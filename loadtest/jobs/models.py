"""What a job needs to know of the model it tests, and the protocol by which it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

__all__ = ["ModelFacts", "ModelReader", "facts_of"]

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model, from its package, from itself, or from ContainerConfig; None and () mean that it does
    not say.

    known: somebody looked the model up and found it.
    domain, task, framework, nearest_model: ContainerConfig's words (COMPUTER_VISION, IMAGE_CLASSIFICATION, PYTORCH).
    content_types: the first one is sent. instance_types: SupportedRealtimeInferenceInstanceTypes.
    environment: of its container. specifications: the environments of a package's AdditionalInferenceSpecifications,
    by name. multi_model: its container is to hold many models.
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

    def environment_of(self, specification: str | None) -> Environment:
        """The environment of an InferenceSpecificationName; None: the package's or the model's own."""
        return self.specifications.get(specification or "", self.environment)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelFacts:
        """The inverse of `to_dict`, also after a trip through JSON."""
        lists = {name: tuple(values[name]) for name in ("content_types", "instance_types")}
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
    )

"""The members of a CreateInferenceRecommendationsJob request and their bounds, as one table.

Data and its node types only; `core.request.validation` reads it. Two kinds of bounds:

- the service model's (`min`, `max`, `pattern`, `enum`, `required`), compared with botocore's own copy by a test;
- the documents' (`low`, `high`, and a `max` marked `capacity`), which protect AWS's own capacity: the `aws` profile
  refuses what lies outside, the `relaxed` one warns.

Source: service model `sagemaker` 2017-07-24; API pages of the same names; developer guide "Run a custom load test".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from loadtest.core.request.instance_types import INSTANCE_TYPES

__all__ = ["INT_MAX", "INT_MIN", "REQUEST", "TAG_PATTERN", "Array", "Integer", "Node", "Structure", "Text"]

INT_MIN, INT_MAX = -(2**31), 2**31 - 1  # the API's integers have 32 bits


@dataclass(frozen=True, slots=True)
class Text:
    """A string. min, max: length in characters; pattern: the whole string matches it; enum: the only valid values."""

    min: int | None = None
    max: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number. min, max: the model's bounds; low, high: the documents'; capacity: `max` is a capacity bound."""

    min: int | None = None
    max: int | None = None
    low: int | None = None
    high: int | None = None
    capacity: bool = False


@dataclass(frozen=True, slots=True)
class Array:
    """A list. min, max: number of items; capacity: `max` is a capacity bound."""

    item: Node
    min: int | None = None
    max: int | None = None
    capacity: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """An object with these members only. required: those that the model asks for."""

    members: Mapping[str, Node]
    required: tuple[str, ...] = ()


Node = Text | Integer | Array | Structure


def _structure(required: str = "", /, **members: Node) -> Structure:
    return Structure(MappingProxyType(members), tuple(required.split()))


TAG_PATTERN = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"

_TEXT = Text()
_KMS_KEY = Text(0, 2048, "[a-zA-Z0-9:/_-]*")
_S3_URL = Text(0, 1024, "(https|s3)://([^/]+)/?(.*)")
_VPC_ID = Text(0, 32, "[-0-9a-zA-Z]+")
_TRAFFIC_DURATION = Integer(min=1, low=120, high=3600)
_TEST_COUNT = Integer(min=1, high=10)

_TRAFFIC_PATTERN = _structure(
    TrafficType=Text(enum=("PHASES", "STAIRS")),
    Phases=Array(
        _structure(
            # The documents' 1..3 is a rule on the jump from the phase before: core.request.rules.
            InitialNumberOfUsers=Integer(min=1),
            SpawnRate=Integer(min=0, high=3),
            DurationInSeconds=_TRAFFIC_DURATION,
        ),
        min=1,
    ),
    Stairs=_structure(
        DurationInSeconds=_TRAFFIC_DURATION,
        NumberOfSteps=Integer(min=1),
        UsersPerStep=Integer(min=1, max=3, capacity=True),
    ),
)

_ENDPOINT_CONFIGURATION = _structure(
    InstanceType=Text(enum=INSTANCE_TYPES),
    ServerlessConfig=_structure(
        "MemorySizeInMB MaxConcurrency",
        MemorySizeInMB=Integer(min=1024, max=6144),
        MaxConcurrency=Integer(min=1, max=200),
        ProvisionedConcurrency=Integer(min=1, max=200),
    ),
    InferenceSpecificationName=Text(1, 63, "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
    EnvironmentParameterRanges=_structure(
        CategoricalParameterRanges=Array(
            _structure("Name Value", Name=Text(0, 64), Value=Array(Text(0, 128), min=1, max=3)), min=1, max=5
        ),
    ),
)

_CONTAINER_CONFIG = _structure(
    Domain=_TEXT,
    Task=_TEXT,
    Framework=_TEXT,
    FrameworkVersion=Text(3, 10, r"[0-9]\.[A-Za-z0-9.-]+"),
    PayloadConfig=_structure(
        SamplePayloadUrl=_S3_URL,
        SupportedContentTypes=Array(Text(0, 256, ".*")),
    ),
    NearestModelName=_TEXT,
    SupportedInstanceTypes=Array(_TEXT),
    SupportedEndpointType=Text(enum=("RealTime", "Serverless")),
    DataInputConfig=Text(1, 1024, r"[\S\s]+"),
    SupportedResponseMIMETypes=Array(Text(0, 1024, r"[-\w]+\/.+")),
)

_INPUT_CONFIG = _structure(
    ModelPackageVersionArn=Text(
        1, 2048, r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:model-package/[\S]{1,2048}"
    ),
    ModelName=Text(0, 63, r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?"),
    JobDurationInSeconds=Integer(min=1, high=18_000),
    TrafficPattern=_TRAFFIC_PATTERN,
    ResourceLimit=_structure(MaxNumberOfTests=_TEST_COUNT, MaxParallelOfTests=_TEST_COUNT),
    EndpointConfigurations=Array(_ENDPOINT_CONFIGURATION, min=1, max=10, capacity=True),
    VolumeKmsKeyId=_KMS_KEY,
    ContainerConfig=_CONTAINER_CONFIG,
    Endpoints=Array(
        _structure(EndpointName=Text(0, 63, "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")),
        min=0,
        max=1,
    ),
    VpcConfig=_structure(
        "SecurityGroupIds Subnets",
        SecurityGroupIds=Array(_VPC_ID, min=1, max=5),
        Subnets=Array(_VPC_ID, min=1, max=16),
    ),
)

_STOPPING_CONDITIONS = _structure(
    MaxInvocations=Integer(high=30_000),
    ModelLatencyThresholds=Array(
        _structure(Percentile=Text(0, 64), ValueInMilliseconds=Integer()),
        min=1,
        max=1,
    ),
    FlatInvocations=Text(enum=("Continue", "Stop")),
)

REQUEST = _structure(
    "JobName JobType RoleArn InputConfig",
    JobName=Text(1, 64, "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}"),
    JobType=Text(enum=("Default", "Advanced")),
    RoleArn=Text(20, 2048, r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
    InputConfig=_INPUT_CONFIG,
    JobDescription=Text(0, 128),
    StoppingConditions=_STOPPING_CONDITIONS,
    OutputConfig=_structure(KmsKeyId=_KMS_KEY, CompiledOutputConfig=_structure(S3OutputUri=_S3_URL)),
    Tags=Array(
        _structure("Key Value", Key=Text(1, 128, TAG_PATTERN), Value=Text(0, 256, TAG_PATTERN)),
        min=0,
        max=50,
    ),
)

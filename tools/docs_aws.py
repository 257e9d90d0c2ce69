"""What AWS does with each member of a job request: a column of the page of job fields.

Sources: the API pages of CreateInferenceRecommendationsJob and the types it names; the developer guide on Inference
Recommender. "†" marks what follows from jobs that were seen and is in no document.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["AWS"]

PHASE = "InputConfig.TrafficPattern.Phases[]"
STAIRS = "InputConfig.TrafficPattern.Stairs"
CONFIGURATION = "InputConfig.EndpointConfigurations[]"
RANGE = f"{CONFIGURATION}.EnvironmentParameterRanges.CategoricalParameterRanges[]"
CONTAINER = "InputConfig.ContainerConfig"

AWS: Mapping[str, str] = {
    "JobName": "the job's name, once in an account and region",
    "JobType": "`Default`: AWS picks traffic and instances; `Advanced`: yours",
    "RoleArn": "assumed to make the endpoints and read the model and the payload",
    "InputConfig.ModelPackageVersionArn": "the model, its payload and the instances it supports",
    "InputConfig.ModelName": "a model that exists; `ContainerConfig` has the rest",
    "InputConfig.JobDurationInSeconds": "no new test after it; those that run end first",
    "InputConfig.TrafficPattern.TrafficType": "`PHASES` if absent",
    f"{PHASE}.InitialNumberOfUsers": "users at the phase's start",
    f"{PHASE}.SpawnRate": "users added in each minute",
    f"{PHASE}.DurationInSeconds": "the phase's length",
    f"{STAIRS}.DurationInSeconds": "the time of a step, or of all: the texts differ",
    f"{STAIRS}.NumberOfSteps": "steps",
    f"{STAIRS}.UsersPerStep": "users added with each step",
    "InputConfig.ResourceLimit.MaxNumberOfTests": "tests beyond it are not run",
    "InputConfig.ResourceLimit.MaxParallelOfTests": "tests at once",
    f"{CONFIGURATION}.InstanceType": "an endpoint of one such instance is made",
    f"{CONFIGURATION}.ServerlessConfig.MemorySizeInMB": "a serverless endpoint is made",
    f"{CONFIGURATION}.ServerlessConfig.MaxConcurrency": "its requests at once; more are refused",
    f"{CONFIGURATION}.ServerlessConfig.ProvisionedConcurrency": "documented as not supported here",
    f"{CONFIGURATION}.InferenceSpecificationName": "the package's additional specification that is deployed",
    f"{RANGE}.Name": "an environment variable of the container",
    f"{RANGE}.Value": "a test for each combination of values",
    "InputConfig.VolumeKmsKeyId": "encrypts the volumes of the endpoints",
    f"{CONTAINER}.Domain": "which known models are near",
    f"{CONTAINER}.Task": "which known models are near",
    f"{CONTAINER}.Framework": "which known models are near",
    f"{CONTAINER}.FrameworkVersion": "with the framework",
    f"{CONTAINER}.PayloadConfig.SamplePayloadUrl": "a gzipped archive in S3 whose files are the bodies",
    f"{CONTAINER}.PayloadConfig.SupportedContentTypes": "Content-Type of the requests",
    f"{CONTAINER}.NearestModelName": "the known model whose measurements stand in",
    f"{CONTAINER}.SupportedInstanceTypes": "restricts a Default job to these",
    f"{CONTAINER}.SupportedEndpointType": "instances, serverless endpoints, or both if absent",
    f"{CONTAINER}.DataInputConfig": "shape of the input, to compile the model",
    f"{CONTAINER}.SupportedResponseMIMETypes": "Accept of the requests †",
    "InputConfig.Endpoints[].EndpointName": "an endpoint that exists is tested, and left as it is",
    "InputConfig.VpcConfig.SecurityGroupIds": "of the models' containers",
    "InputConfig.VpcConfig.Subnets": "of the models' containers",
    "JobDescription": "returned by Describe",
    "StoppingConditions.MaxInvocations": "ends a test when its endpoint takes so many a minute",
    "StoppingConditions.ModelLatencyThresholds[].Percentile": "`P95` or `P99`",
    "StoppingConditions.ModelLatencyThresholds[].ValueInMilliseconds": "ends a test when ModelLatency is above",
    "StoppingConditions.FlatInvocations": "`Stop` if absent: ends a test when more users bring no more invocations",
    "OutputConfig.KmsKeyId": "encrypts what is put into S3",
    "OutputConfig.CompiledOutputConfig.S3OutputUri": "where compiled models go; results are never put there",
    "Tags[].Key": "on the job",
    "Tags[].Value": "on the job",
}

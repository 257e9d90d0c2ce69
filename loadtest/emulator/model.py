"""The only door to botocore's description of SageMaker: which operations there are and what shape each one takes.

Loaded once per process, on first use (about 0.15 s).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape

__all__ = ["JOB_OPERATIONS", "TAG_OPERATIONS", "TARGET_PREFIX", "operation", "output_shape", "service_model"]

TARGET_PREFIX = "SageMaker."
"""What X-Amz-Target starts with on the control plane."""

JOB_OPERATIONS: Mapping[str, str] = {
    "CreateInferenceRecommendationsJob": "create_inference_recommendations_job",
    "DescribeInferenceRecommendationsJob": "describe_inference_recommendations_job",
    "GetScalingConfigurationRecommendation": "get_scaling_configuration_recommendation",
    "ListInferenceRecommendationsJobSteps": "list_inference_recommendations_job_steps",
    "ListInferenceRecommendationsJobs": "list_inference_recommendations_jobs",
    "ListModelMetadata": "list_model_metadata",
    "StopInferenceRecommendationsJob": "stop_inference_recommendations_job",
}
"""Operation -> method of `loadtest.jobs.service.JobService`."""

TAG_OPERATIONS: Mapping[str, str] = {"AddTags": "add_tags", "DeleteTags": "delete_tags", "ListTags": "list_tags"}
"""Operations that are ours only if ResourceArn names a job of ours."""


@functools.cache
def service_model() -> ServiceModel:
    """SageMaker's control plane, as the installed botocore describes it."""
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


@functools.cache
def operation(name: str) -> OperationModel:
    """One of JOB_OPERATIONS or TAG_OPERATIONS; KeyError for any other name, so that this cache stays small."""
    if name not in JOB_OPERATIONS and name not in TAG_OPERATIONS:
        raise KeyError(name)
    return service_model().operation_model(name)


def output_shape(name: str) -> StructureShape | None:
    """What any operation of SageMaker's control plane answers with; None: nothing, or there is no such operation."""
    model = service_model()
    if name not in model.operation_names:
        return None
    shape = model.operation_model(name).output_shape
    return shape if isinstance(shape, StructureShape) else None

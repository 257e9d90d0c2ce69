"""Run by test_sagemaker_sdk.py with the Python of SageMaker SDK 3: the resources of sagemaker-core, made and read back.

Usage: python core_resources.py URL FILE. Writes one JSON document to FILE.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL=sys.argv[1]
)

from sagemaker.core import resources
from sagemaker.core.shapes import (
    ContainerDefinition,
    DesiredWeightAndCapacity,
    EndpointInputConfiguration,
    ModelLatencyThreshold,
    Phase,
    ProductionVariant,
    RecommendationJobInputConfig,
    RecommendationJobStoppingConditions,
    TrafficPattern,
)

# sagemaker-core looks at what it waits for every 5 s. Nothing else of it is changed.
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.3))

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


def main() -> None:
    container = ContainerDefinition(image=IMAGE, environment={"OMP_NUM_THREADS": "2"})
    model = resources.Model.create(model_name="core", primary_container=container, execution_role_arn=ROLE)
    variants = [
        ProductionVariant(
            variant_name="blue", model_name="core", instance_type="ml.c5.xlarge", initial_instance_count=1
        )
    ]
    configuration = resources.EndpointConfig.create(endpoint_config_name="core", production_variants=variants)
    endpoint = resources.Endpoint.create(endpoint_name="core", endpoint_config_name="core")
    endpoint.wait_for_status("InService")
    answer = endpoint.invoke(body=b"1,2", content_type="text/csv")
    endpoint.update_weights_and_capacities(
        desired_weights_and_capacities=[DesiredWeightAndCapacity(variant_name="blue", desired_instance_count=2)]
    )
    endpoint.refresh()
    job = resources.InferenceRecommendationsJob.create(
        job_name="core",
        job_type="Advanced",
        role_arn=ROLE,
        input_config=RecommendationJobInputConfig(
            model_name="core",
            traffic_pattern=TrafficPattern(
                # sagemaker-core leaves members out whose value is 0, so a phase can't be flat.
                traffic_type="PHASES",
                phases=[Phase(initial_number_of_users=1, spawn_rate=1, duration_in_seconds=120)],
            ),
            endpoint_configurations=[EndpointInputConfiguration(instance_type="ml.c5.xlarge")],
        ),
        stopping_conditions=RecommendationJobStoppingConditions(
            max_invocations=1000,
            model_latency_thresholds=[ModelLatencyThreshold(percentile="P95", value_in_milliseconds=500)],
        ),
    )
    job.wait()
    job.refresh()
    recommended = [each.endpoint_configuration.instance_type for each in job.inference_recommendations]
    result = {
        "variant": answer.invoked_production_variant,
        "body": answer.body.read().decode(),
        "instances": endpoint.production_variants[0].current_instance_count,
        "instant": model.deployment_recommendation.recommendation_status,
        "status": job.status,
        "recommended": recommended,
        "steps": [each.job_name for each in job.get_all_steps()],
        "models": [each.model_name for each in resources.Model.get_all()],
        "endpoints": [each.endpoint_name for each in resources.Endpoint.get_all()],
        "jobs": [each.job_name for each in resources.InferenceRecommendationsJob.get_all()],
    }
    job.stop()
    endpoint.delete()
    configuration.delete()
    model.delete()
    result["left"] = [each.endpoint_name for each in resources.Endpoint.get_all()]
    Path(sys.argv[2]).write_text(json.dumps(result))


main()

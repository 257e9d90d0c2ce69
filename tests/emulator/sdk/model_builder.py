"""Run by test_sagemaker_sdk.py with the Python of SageMaker SDK 3: ModelBuilder from build() to an invocation.

Usage: python model_builder.py URL FILE. Writes one JSON document to FILE.
"""

import json
import os
import sys
import time
from pathlib import Path

URL, FILE = sys.argv[1], Path(sys.argv[2])
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ENDPOINT_URL=URL,
    SAGEMAKER_VALIDATE_ROLE="false",  # else the SDK asks IAM to simulate the role's policies, which moto can't
)

import boto3  # noqa: E402 - the variables come first
from sagemaker.core.helper.session_helper import Session  # noqa: E402
from sagemaker.core.parameter import CategoricalParameter  # noqa: E402
from sagemaker.serve import ModelBuilder  # noqa: E402
from sagemaker.serve.inference_recommendation_mixin import ModelLatencyThreshold, Phase  # noqa: E402

# The SDK looks at a job once a minute. Nothing else of it is changed.
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.3))

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


def main() -> None:
    boto = boto3.Session(region_name="us-east-1")
    boto.client("s3").create_bucket(Bucket="mybucket")
    sagemaker = boto.client("sagemaker")
    session = Session(
        boto_session=boto,
        default_bucket="mybucket",
        sagemaker_client=sagemaker,
        sagemaker_runtime_client=boto.client("sagemaker-runtime"),
    )

    def built(name: str) -> ModelBuilder:
        builder = ModelBuilder(
            image_uri=IMAGE, s3_model_data_url="s3://mybucket/m.tar.gz", role_arn=ROLE, sagemaker_session=session
        )
        assert builder.build(model_name=name).model_name == name
        # build() has put a default type in place of none, which would go before the recommendation's.
        builder.instance_type = None
        return builder

    builder = built("sized")
    builder.right_size(
        sample_payload_url="s3://mybucket/p.tar.gz",
        supported_content_types=["text/csv"],
        framework="XGBOOST",
        job_name="right-size-3",
        job_duration_in_seconds=3600,
        hyperparameter_ranges=[
            {
                "instance_types": CategoricalParameter(["ml.c5.xlarge", "ml.m5.xlarge"]),
                "OMP_NUM_THREADS": CategoricalParameter(["1", "2"]),
            }
        ],
        phases=[Phase(120, 1, 3), Phase(120, 7, 0)],
        traffic_type="PHASES",
        max_invocations=1000,
        model_latency_thresholds=[ModelLatencyThreshold("P95", 100)],
        max_tests=4,
        max_parallel_tests=2,
    )
    recommendations = builder.inference_recommendations
    deployed = {}
    other = built("other")
    instant = sagemaker.describe_model(ModelName="other")["DeploymentRecommendation"]
    for name, source, recommendation, count in (
        ("by-job", builder, recommendations[-1]["RecommendationId"], None),
        ("by-model", other, instant["RealTimeInferenceRecommendations"][0]["RecommendationId"], 1),
    ):
        endpoint = source.deploy(
            endpoint_name=name, inference_recommendation_id=recommendation, initial_instance_count=count
        )
        answer = endpoint.invoke(body=b"1,2", content_type="text/csv")
        described = sagemaker.describe_endpoint(EndpointName=name)
        settings = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
        deployed[name] = {
            "instance_type": settings["ProductionVariants"][0]["InstanceType"],
            "instances": settings["ProductionVariants"][0]["InitialInstanceCount"],
            "body": answer.body.read().decode(),
        }
    result = {
        "recommendations": recommendations,
        "instant": instant,
        "deployed": deployed,
    }
    FILE.write_text(json.dumps(result, default=str))


main()

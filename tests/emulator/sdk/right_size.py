"""Run by test_sagemaker_sdk.py with the SageMaker SDK's own Python: Model.right_size to deploy() and one invocation.

Usage: python right_size.py URL FILE. Writes one JSON document to FILE.
"""

import json
import os
import sys
import time
from pathlib import Path

URL = sys.argv[1]
os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL=URL
)

import boto3  # noqa: E402 - the variables come first
import sagemaker  # noqa: E402
from sagemaker.inference_recommender.inference_recommender_mixin import ModelLatencyThreshold, Phase  # noqa: E402
from sagemaker.model import Model  # noqa: E402
from sagemaker.parameter import CategoricalParameter  # noqa: E402

# The SDK looks at a job once a minute. Nothing else of it is changed.
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.5))

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
ROLE = "arn:aws:iam::123456789012:role/R"


def main() -> None:
    boto = boto3.Session(region_name="us-east-1")
    boto.client("s3").create_bucket(Bucket="mybucket")
    session = sagemaker.Session(
        boto_session=boto,
        default_bucket="mybucket",  # without it the SDK asks the real STS, whatever AWS_ENDPOINT_URL says
        sagemaker_client=boto.client("sagemaker", endpoint_url=URL),
        sagemaker_runtime_client=boto.client("sagemaker-runtime", endpoint_url=URL),
    )
    model = Model(image_uri=IMAGE, model_data="s3://mybucket/m.tar.gz", role=ROLE, sagemaker_session=session)
    model.right_size(
        sample_payload_url="s3://mybucket/p.tar.gz",
        supported_content_types=["text/csv"],
        framework="XGBOOST",
        job_name="right-size",
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
        log_level="Verbose",
    )
    recommendations = model.inference_recommendations
    model.deploy(endpoint_name="deployed")
    sagemaker_client = session.sagemaker_client
    configuration = sagemaker_client.describe_endpoint(EndpointName="deployed")["EndpointConfigName"]
    (variant,) = sagemaker_client.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"]
    answer = session.sagemaker_runtime_client.invoke_endpoint(
        EndpointName="deployed", Body=b"1,2", ContentType="text/csv"
    )
    result = {"recommendations": recommendations, "variant": variant, "body": answer["Body"].read().decode()}
    Path(sys.argv[2]).write_text(json.dumps(result, default=str))


main()

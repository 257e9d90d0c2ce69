"""The pre-trained models that Inference Recommender has benchmarked: what ListModelMetadata lists. Pure.

The names are all that the API's reference gives for NearestModelName. Domain and task follow from the model; framework
and version are the developer guide's where its example has the model (bert-base-cased, resnet18v2-gluon, resnet152),
and for the others those of its pre-trained form at the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.jobs.listing import page_size
from loadtest.jobs.paging import open_token, seal_token

__all__ = ["list_model_metadata"]

_MEMBERS = ("Model", "Domain", "Task", "Framework", "FrameworkVersion")
_VISION, _LANGUAGE, _TABLES = "COMPUTER_VISION", "NATURAL_LANGUAGE_PROCESSING", "MACHINE_LEARNING"
_MODELS = (
    ("bert-base-cased", _LANGUAGE, "FILL_MASK", "PYTORCH", "1.6.0"),
    ("densenet201", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("densenet201-gluon", _VISION, "IMAGE_CLASSIFICATION", "MXNET", "1.8.0"),
    ("efficientnetb7", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("faster-rcnn-resnet101", _VISION, "OBJECT_DETECTION", "TENSORFLOW", "1.15.5"),
    ("inception-v3", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("mask-rcnn", _VISION, "OBJECT_DETECTION", "TENSORFLOW", "1.15.5"),
    ("nasnetlarge", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("resnet152", _VISION, "IMAGE_CLASSIFICATION", "PYTORCH", "1.6.0"),
    ("resnet18v2-gluon", _VISION, "IMAGE_CLASSIFICATION", "MXNET", "1.8.0"),
    ("resnet50", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("retinanet", _VISION, "OBJECT_DETECTION", "TENSORFLOW", "1.15.5"),
    ("sagemaker-scikit-learn", _TABLES, "REGRESSION", "SAGEMAKER-SCIKIT-LEARN", "0.23-1"),
    ("unet", _VISION, "IMAGE_SEGMENTATION", "TENSORFLOW", "1.15.5"),
    ("vgg16", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("xception", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("xceptionV1-keras", _VISION, "IMAGE_CLASSIFICATION", "TENSORFLOW", "1.15.5"),
    ("xgboost", _TABLES, "CLASSIFICATION", "XGBOOST", "1.3-1"),
    ("yolov4", _VISION, "OBJECT_DETECTION", "TENSORFLOW", "1.15.5"),
)


def list_model_metadata(params: Mapping[str, Any]) -> dict[str, Any]:
    """One page of the models that fit every filter, by name. Raises ApiError ValidationException for a wrong token."""
    filters = (params.get("SearchExpression") or {}).get("Filters", ())
    models = [dict(zip(_MEMBERS, model, strict=True)) for model in _MODELS]
    found = [each for each in models if all(each.get(one["Name"]) == one["Value"] for one in filters)]
    token = params.get("NextToken")
    start = int(open_token(params, token, (int,))[0]) if token else 0
    end = start + page_size(params)
    answer: dict[str, Any] = {"ModelMetadataSummaries": found[start:end]}
    if end < len(found):
        answer["NextToken"] = seal_token(params, (end,))
    return answer

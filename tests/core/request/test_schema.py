"""The request's table against botocore's own copy of the service model, node by node."""

import re

import botocore
import botocore.session
import pytest
from service_model import MODEL_VERSION, OLDER

from loadtest.core.request.instance_types import INSTANCE_TYPES
from loadtest.core.request.schema import REQUEST, TAG_PATTERN, Array, Integer, Node, Structure, Text


def model():
    service = botocore.session.Session().get_service_model("sagemaker")
    return service.operation_model("CreateInferenceRecommendationsJob").input_shape


def pairs(node: Node, shape, path: str = "request"):
    yield path, node, shape
    if isinstance(node, Structure):
        for name, member in node.members.items():
            if shape.type_name == "structure" and name in shape.members:
                yield from pairs(member, shape.members[name], f"{path}.{name}")
    elif isinstance(node, Array) and shape.type_name == "list":
        yield from pairs(node.item, shape.member, f"{path}[]")


PAIRS = list(pairs(REQUEST, model()))


def test_every_node_of_the_model_is_compared():
    assert len(PAIRS) == 77
    assert {type(node) for _, node, _ in PAIRS} == {Structure, Array, Integer, Text}


@pytest.mark.parametrize(("path", "node", "shape"), PAIRS, ids=[path for path, _, _ in PAIRS])
def test_node_agrees_with_the_service_model(path, node, shape):
    kinds = {Structure: "structure", Array: "list", Integer: "integer", Text: "string"}
    assert shape.type_name == kinds[type(node)]
    if isinstance(node, Structure):
        assert set(node.members) == set(shape.members)
        assert list(node.required) == list(shape.required_members)
        return
    if OLDER:
        pytest.skip("older copies of the model anchor their patterns and do not say a minimum of 0")
    assert node.min == shape.metadata.get("min")
    assert node.max == shape.metadata.get("max")
    if isinstance(node, Text):
        assert node.pattern == shape.metadata.get("pattern")
        if node.enum is not INSTANCE_TYPES:
            assert list(node.enum) == shape.metadata.get("enum", [])


def test_instance_types_agree_with_the_service_model():
    theirs = set(model().members["InputConfig"].members["EndpointConfigurations"].member.members["InstanceType"].enum)
    ours = set(INSTANCE_TYPES)
    assert len(ours) == len(INSTANCE_TYPES)
    if botocore.__version__ == MODEL_VERSION:
        assert ours == theirs
    else:  # the enumeration grows with time
        assert ours <= theirs or theirs <= ours


@pytest.mark.parametrize(
    ("path", "node"), [(path, node) for path, node, _ in PAIRS if isinstance(node, Text) and node.pattern]
)
def test_every_pattern_but_that_of_tags_compiles(path, node):
    if node.pattern == TAG_PATTERN:
        with pytest.raises(re.error):
            re.compile(node.pattern)
    else:
        re.compile(node.pattern, re.ASCII)

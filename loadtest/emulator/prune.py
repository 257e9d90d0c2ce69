"""An answer of SageMaker's control plane without what AWS would not send. Pure.

moto answers Describe with empty structures where nothing was set (`VpcConfig: {}`), with nulls, and with members of its
own. boto3 reads over that; sagemaker-core's models do not, because an empty VpcConfig lacks what is required of one.
"""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

__all__ = ["pruned"]


def pruned(value: dict[str, Any], shape: StructureShape) -> dict[str, Any]:
    """The members that the model has, without nulls, without structures that came empty or end so, without lists that
    are shorter than the model allows, and of what is described without empty ones that it does not require. A structure
    that has no members in the model is a mark, and stays.
    """
    optional = set(shape.members) - set(shape.required_members) if shape.name.startswith("Describe") else set()
    kept = {name: _inner(value[name], member) for name, member in shape.members.items() if value.get(name) is not None}
    return {
        name: item
        for name, item in kept.items()
        if not (_is_nothing(item, shape.members[name]) or (name in optional and item == []))
    }


def _inner(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return pruned(value, shape)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_inner(item, shape.member) for item in value if item is not None]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _inner(item, shape.value) for key, item in value.items() if item is not None}
    return value


def _is_nothing(value: Any, shape: Shape) -> bool:
    if isinstance(shape, StructureShape):
        return value == {} and bool(shape.members)
    return isinstance(shape, ListShape) and value == [] and shape.metadata.get("min", 0) > 0

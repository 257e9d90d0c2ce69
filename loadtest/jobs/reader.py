"""Reads the members of a fleet file with their types and bounds, and collects what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.core.request.bounds import Bound
from loadtest.core.request.findings import Findings, shown
from loadtest.core.request.findings import Path as Place
from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import SpecError
from loadtest.jobs.instances import is_instance_type
from loadtest.targets.open import check_target_ref

__all__ = ["Reader"]

_INSTANCE_TYPE = Bound(allowed=is_instance_type, noun="the name of an instance type, such as ml.c5.xlarge")


class Reader:
    """Something valid stands in for what is wrong. where: the file's name."""

    def __init__(self, where: str) -> None:
        self.findings = Findings(where=f"{where}: ")

    def wrong(self, path: Place, value: object, rule: str) -> None:
        self.findings.error(path, shown(value), rule)

    def number(self, path: Place, value: object, low: float = 0.0, high: float | None = None) -> float:
        if not self.findings.check(path, value, Bound("number", low, high)):
            return low
        assert isinstance(value, (int, float))
        return float(value)

    def whole(self, path: Place, value: object, low: int = 1) -> int:
        if not self.findings.check(path, value, Bound("whole", low)):
            return low
        assert isinstance(value, int)
        return value

    def texts(self, path: Place, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self.wrong(path, value, "must be a list of texts")
            return ()
        return tuple(value)

    def wholes(self, path: Place, value: object) -> tuple[int, ...]:
        if not isinstance(value, list) or not value:
            self.wrong(path, value, "must be a list of whole numbers")
            return (1,)
        return tuple(self.whole((*path, i), one) for i, one in enumerate(value))

    def mapping(self, path: Place, value: object) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.wrong(path, value, "must be a mapping")
            return {}
        return value

    def instance_type(self, path: Place, value: object) -> str:
        return str(value) if self.findings.check(path, value, _INSTANCE_TYPE) else "ml.m5.xlarge"

    def instance_types(self, path: Place, value: object) -> tuple[str, ...]:
        return tuple(self.instance_type((*path, i), one) for i, one in enumerate(self.texts(path, value)))

    def items(self, path: Place, value: object) -> list[tuple[Place, Mapping[str, Any]]]:
        if not isinstance(value, list):
            self.wrong(path, value, "must be a list of mappings")
            return []
        return [((*path, i), self.mapping((*path, i), one)) for i, one in enumerate(value)]

    def target(self, path: Place, ref: TargetRef) -> None:
        try:
            check_target_ref(ref)
        except SpecError as found:
            for problem in found.problems:
                self.wrong(path, ref.ref, f"{problem.path}: {problem.rule}" if problem.path else problem.rule)

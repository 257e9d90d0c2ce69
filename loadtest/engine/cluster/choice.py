"""What a worker lets a master have run and read here. A plan comes over the network; this is the worker's own word."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.core.traffic.plan import Plan
from loadtest.errors import Problem, SpecError
from loadtest.targets.reference import SCHEMES, split_ref

__all__ = ["EVERYTHING", "WorkerChoice"]

PLUGINS_VARIABLE = "LOADTEST_ALLOW_PLUGINS"  # names, separated by commas
ROOT_VARIABLE = "LOADTEST_PAYLOAD_ROOT"
ANY = "*"


@dataclass(frozen=True, slots=True)
class WorkerChoice:
    """plugins: target references of plug-ins that may be run; "*": any. payload_root: payloads may lie below it;
    "": only the built-in body may be sent.
    """

    plugins: tuple[str, ...] = ()
    payload_root: str = ""

    def check(self, plan: Plan) -> None:
        """Raises SpecError with what the plan wants and this worker does not allow."""
        problems = []
        scheme, _ = split_ref(plan.target.ref)
        if scheme not in SCHEMES and ANY not in self.plugins and not {plan.target.ref, scheme} & set(self.plugins):
            advice = f"start it with --allow-plugin {plan.target.ref}"
            problems.append(Problem("target", plan.target.ref, "this worker runs no plug-in of that name", advice))
        path = plan.payload.path
        if path is not None and not self._may_read(path):
            advice = "start it with --payload-root DIR, a folder that the payloads lie in"
            problems.append(Problem("payload", path, "this worker reads no payload there", advice))
        if problems:
            raise SpecError(problems)

    def environment(self) -> dict[str, str]:
        """How a worker's process is told."""
        return {PLUGINS_VARIABLE: ",".join(self.plugins), ROOT_VARIABLE: self.payload_root}

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> WorkerChoice:
        """The inverse of `environment`; nothing is allowed where nothing is said."""
        plugins = tuple(name for name in values.get(PLUGINS_VARIABLE, "").split(",") if name)
        return cls(plugins, values.get(ROOT_VARIABLE, ""))

    def _may_read(self, path: str) -> bool:
        """Links are followed: it is where the file lies that counts."""
        if not self.payload_root:
            return False
        root, found = Path(os.path.realpath(self.payload_root)), Path(os.path.realpath(path))
        return found.is_relative_to(root)


EVERYTHING = WorkerChoice((ANY,), os.sep)  # of workers that a run starts itself: they are its own hands

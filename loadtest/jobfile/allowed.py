"""What a job file may choose: it is data, wherever it came from, and its reader's code, files and keys are not its own.

A plug-in target is code. A file (payload, samples of a mock endpoint, certificates) lies in the job file's own folder.
Whose credentials sign the requests, and where such requests go, is the reader's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.core.request.findings import shown
from loadtest.core.traffic.plan import SCHEMES, TargetRef
from loadtest.errors import Problem, masked
from loadtest.folders import lies_in
from loadtest.loopback import is_loopback_url

__all__ = ["Allowed"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the caller lets a file choose besides built-in targets and the files of its own folder.

    plugins: references, or the names before their colon. payload_root: a folder; "": none. own: what the caller gives
    itself ("target", "payload", names of target options), so that it does not matter what the file says.
    """

    plugins: frozenset[str] = frozenset()
    payload_root: str = ""
    own: frozenset[str] = frozenset()

    def plugin_problems(self, ref: str, where: str) -> Iterator[Problem]:
        """None for a built-in target."""
        scheme = TargetRef(ref).scheme
        if "target" not in self.own and scheme not in SCHEMES and not {ref, scheme} & self.plugins:
            rule = "a plug-in is code, which a job file cannot choose"
            yield Problem(where, shown(ref), rule, f"give --target {ref}, or --allow-plugin {ref}")

    def path_problems(self, path: Path, folder: Path, where: str, advice: str) -> Iterator[Problem]:
        """None if `path`, and whatever a link in it leads to, lies below `folder` or the allowed root."""
        if not lies_in(path, (folder, self.payload_root)):
            yield Problem(where, shown(str(path)), "lies outside the job file's folder", advice)

    def option_problems(self, name: str, value: object, folder: Path, where: str) -> Iterator[Problem]:
        """None for an option that is the file's to choose; of a wrong type it is refused elsewhere."""
        if name in self.own or not isinstance(value, str):
            return
        if name == "ca_file":
            advice = "give --ca-file, or the folder that it lies in by --payload-root"
            yield from self.path_problems(folder / value, folder, where, advice)
        elif name == "profile":
            rule = "whose credentials sign the requests is not a job file's to choose"
            yield Problem(where, shown(value), rule, f"give --aws-profile {value}")
        elif name == "endpoint_url" and not is_loopback_url(value):
            rule = "where requests go that are signed with your credentials is not a job file's to choose"
            yield Problem(where, shown(masked(value)), rule, "give --endpoint-url")

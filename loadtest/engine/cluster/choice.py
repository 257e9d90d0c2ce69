"""What a worker lets a master have run and read here. A plan comes over the network; this is the worker's own word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadtest.core.request.s3 import lies_below
from loadtest.core.traffic.plan import SCHEMES, Plan
from loadtest.errors import Problem, SpecError, masked
from loadtest.folders import lies_in
from loadtest.loopback import is_loopback_url

__all__ = ["EVERYTHING", "WorkerChoice"]

_VARIABLES = {  # of the worker's process; values are separated by line ends, which none of them contains
    "plugins": "LOADTEST_ALLOW_PLUGINS",
    "payload_root": "LOADTEST_PAYLOAD_ROOT",
    "profiles": "LOADTEST_ALLOW_PROFILES",
    "endpoint_urls": "LOADTEST_ALLOW_ENDPOINT_URLS",
    "payload_urls": "LOADTEST_ALLOW_PAYLOAD_URLS",
}
ANY = "*"


@dataclass(frozen=True, slots=True)
class WorkerChoice:
    """What a worker's owner allows a plan to do.

    plugins: target references of plug-ins that may be run. payload_root: payloads and certificates may lie below it;
    "": only the built-in body may be sent. profiles: of this machine's AWS configuration that may sign. endpoint_urls:
    that signed requests may go to, besides AWS's own and loopback. payload_urls: addresses (`s3://BUCKET/PREFIX`,
    `https://HOST/PATH`) of or below which payloads may be fetched, with this machine's credentials. "*": any.
    """

    plugins: tuple[str, ...] = ()
    payload_root: str = ""
    profiles: tuple[str, ...] = ()
    endpoint_urls: tuple[str, ...] = ()
    payload_urls: tuple[str, ...] = ()

    def check(self, plan: Plan) -> None:
        """Raises SpecError with everything that the plan wants and this worker does not allow."""
        problems = [*self._target_problems(plan), *self._file_problems(plan), *self._signing_problems(plan)]
        if problems:
            raise SpecError(problems)

    def environment(self) -> dict[str, str]:
        """How a worker's process is told."""
        values = {name: getattr(self, name) for name in _VARIABLES}
        return {_VARIABLES[n]: value if isinstance(value, str) else "\n".join(value) for n, value in values.items()}

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> WorkerChoice:
        """The inverse of `environment`; nothing is allowed where nothing is said."""
        told = {name: values.get(variable, "") for name, variable in _VARIABLES.items()}
        lists = {name: tuple(filter(None, text.split("\n"))) for name, text in told.items() if name != "payload_root"}
        return cls(payload_root=told["payload_root"], **lists)

    def _target_problems(self, plan: Plan) -> Iterator[Problem]:
        ref, scheme = plan.target.ref, plan.target.scheme
        if scheme not in SCHEMES and not {ANY, ref, scheme} & set(self.plugins):
            advice = f"start it with --allow-plugin {ref}"
            yield Problem("target", ref, "this worker runs no plug-in of that name", advice)

    def _file_problems(self, plan: Plan) -> Iterator[Problem]:
        advice = "start it with --payload-root DIR, a folder that the payloads lie in"
        path, ca_file = plan.payload.path, plan.target.options.get("ca_file")
        if path is not None and plan.payload.is_remote:
            if not any(allowed == ANY or lies_below(path, allowed) for allowed in self.payload_urls):
                shown, rule = masked(path.partition("?")[0]), "this worker fetches no payload from there"
                yield Problem("payload", shown, rule, f"start it with --allow-payload-url {shown}")
        elif path is not None and not lies_in(path, [self.payload_root]):
            yield Problem("payload", path, "this worker reads no payload there", advice)
        if ca_file is not None and not lies_in(str(ca_file), [self.payload_root]):
            yield Problem("target.ca_file", str(ca_file), "this worker reads no certificates there", advice)

    def _signing_problems(self, plan: Plan) -> Iterator[Problem]:
        options = plan.target.options
        profile, url = options.get("profile"), options.get("endpoint_url")
        if profile is not None and not {ANY, profile} & set(self.profiles):
            advice = f"start it with --allow-profile {profile}"
            yield Problem("target.profile", str(profile), "this worker does not sign with that profile", advice)
        if url is not None and not {ANY, url} & set(self.endpoint_urls) and not is_loopback_url(str(url)):
            advice = "start it with --allow-endpoint-url URL"
            rule = "this worker sends no signed requests there"
            yield Problem("target.endpoint_url", masked(str(url)), rule, advice)


# Of workers that a run starts itself: they are its own hands.
EVERYTHING = WorkerChoice((ANY,), "/", (ANY,), (ANY,), (ANY,))

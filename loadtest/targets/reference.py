"""What a target reference may look like, and what its options may be: syntax only, nothing is imported or opened."""

from __future__ import annotations

import difflib
import importlib.machinery
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

from loadtest.core.request.bounds import FLAG, Bound
from loadtest.core.request.findings import Findings, nearest
from loadtest.core.traffic.plan import SCHEMES, TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import Problem, SpecError, masked

__all__ = ["FORMS", "GROUP", "OBJECT", "OPTIONS", "SCHEMES", "check_target_ref", "split_ref", "url_problems"]

GROUP = "loadtest.targets"  # the entry-point group of other packages' targets
OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
# How a reference to each of the built-in targets is written.
FORMS: Mapping[str, str] = {
    "mock": "mock:servers=4,service_ms=20",
    "sagemaker": "sagemaker:ENDPOINT",
    "boto3": "boto3:ENDPOINT",
    "http": "http://HOST:PORT/invocations",
    "https": "https://HOST/invocations",
    "null": "null:",
}
# EndpointName of sagemaker-runtime's service model.
_ENDPOINT = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*", re.ASCII)
_MAX_ENDPOINT = 63
HAVE_OPTIONS = frozenset(SCHEMES) - {"null"}
_FORMS = f"write {', '.join(FORMS.values())}, or package.module:Name"


def split_ref(text: str) -> tuple[str, str]:
    """(scheme, rest) of a reference: what stands before and after the first colon; the scheme in lower case."""
    ref = TargetRef(text)
    return ref.scheme, ref.rest


def check_target_ref(ref: TargetRef) -> None:
    """Return if `ref` is well formed and names something that can exist; opens and imports nothing.

    Raises SpecError with every problem: unknown schemes with the nearest ones, malformed endpoint names, URLs, mock
    settings and options. A plug-in's options are its own affair.
    """
    problems = [*_ref_problems(ref), *_option_problems(ref)]
    if problems:
        raise SpecError(problems)


def _ref_problems(ref: TargetRef) -> Iterator[Problem]:
    text, scheme, rest = ref.ref, ref.scheme, ref.rest
    if scheme in ("http", "https"):
        yield from url_problems(text)
    elif scheme in ("sagemaker", "boto3"):
        if not _ENDPOINT.fullmatch(rest) or len(rest) > _MAX_ENDPOINT:
            rule = "an endpoint's name is 1 to 63 letters, digits and hyphens between them"
            yield Problem("target", _shown(text), rule, f"write {FORMS[scheme]}")
    elif scheme == "null":
        if rest:
            yield Problem("target", _shown(text), "the null target has no settings", "write null:")
    elif scheme == "mock":
        yield from _mock_problems(rest)
    elif not _is_entry_point(scheme):
        yield from _object_problems(text, scheme)


def url_problems(text: str) -> Iterator[Problem]:
    """What is wrong with an http or https address."""
    advice = f"write {FORMS[split_ref(text)[0]]}"
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port  # reading the port checks it
    except ValueError as problem:
        # A port that is none may be a password.
        why = "its port is no number from 0 to 65535" if "port" in str(problem).lower() else str(problem)
        yield Problem("target", _shown(text), f"is no URL: {why}", advice)
        return
    if not text.isascii() or not text.isprintable() or " " in text:
        yield Problem(
            "target", _shown(text), "a URL has no spaces, control or non-ASCII characters", "percent-encode them"
        )
    elif not host or not text[len(url.scheme) :].startswith("://"):
        yield Problem("target", _shown(text), "the URL names no host", advice)
    elif url.username is not None:
        yield Problem(
            "target", f"{url.scheme}://...@{host}", "a URL with a password ends up in results", "leave it out"
        )
    elif url.fragment:
        yield Problem("target", _shown(text), "a fragment is never sent to a server", f"leave #{url.fragment} out")


def _shown(url: str) -> str:
    """As text for a message, without a password."""
    return ascii(masked(url))[1:-1]


def _mock_problems(settings: str) -> Iterator[Problem]:
    try:
        MockSettings.parse(settings)
    except SpecError as found:
        yield from found.problems


def _is_entry_point(name: str) -> bool:
    return bool(entry_points(group=GROUP, name=name))


def _object_problems(text: str, scheme: str) -> Iterator[Problem]:
    near = _nearest(scheme)
    if not OBJECT.fullmatch(text):
        yield Problem("target", _shown(text), "is no known kind of target", near or _FORMS)
    elif not _module_exists(scheme.partition(".")[0]):
        yield Problem("target", _shown(text), f"there is no module {scheme.partition('.')[0]}", near or _FORMS)


def _module_exists(name: str) -> bool:
    """Whether a top-level module can be found from here or from the working folder, without importing it."""
    if name in sys.modules or name in sys.builtin_module_names:
        return True
    return any(finder(name, [*sys.path, os.getcwd()]) is not None for finder in _finders())


def _finders() -> Iterator[Callable[[str, list[str]], object]]:
    yield importlib.machinery.PathFinder.find_spec
    for finder in sys.meta_path:  # those of editable installations know modules that lie on no path
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is not None and finder is not importlib.machinery.PathFinder:
            yield lambda name, _, find=find_spec: find(name, None)  # type: ignore[misc]


def _nearest(scheme: str) -> str:
    known = [*FORMS, *(point.name for point in entry_points(group=GROUP))]
    near = difflib.get_close_matches(scheme.lower(), known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(FORMS.get(name, name + ':') for name in near)}?" if near else ""


_TEXT = Bound(low=1, allowed=str.isprintable, noun="a text")
_HEADER = Bound(
    low=1,
    high=1024,
    allowed=lambda text: text.isascii() and text.isprintable(),
    noun="1 to 1,024 printable ASCII characters: it becomes a header",
)
_SECONDS = Bound("number", 0, above=True, noun="a number of seconds above 0")
_COUNT = Bound("whole", 0, above=True, noun="a whole number above 0")

# Options of the targets that speak HTTP. A null is as if the option were not given.
OPTIONS: Mapping[str, Bound] = {
    "region": _TEXT,
    "profile": _TEXT,
    "endpoint_url": _TEXT,
    "use_fips": FLAG,
    "use_dualstack": FLAG,
    "ca_file": _TEXT,
    "connect_timeout_s": _SECONDS,
    "read_timeout_s": _SECONDS,
    "max_pool_connections": _COUNT,
    "stream": FLAG,
    "strict_http": FLAG,
    "accept": _HEADER,
    "custom_attributes": _HEADER,
    "enable_explanations": _HEADER,
    "inference_component_name": _HEADER,
    "inference_id": _HEADER,
    "session_id": _HEADER,
    "target_container_hostname": _HEADER,
    "target_model": _HEADER,
    "target_variant": _HEADER,
}


def _option_problems(ref: TargetRef) -> tuple[Problem, ...]:
    findings = Findings()
    for name, value in ref.options.items() if ref.scheme in HAVE_OPTIONS else ():
        where = ("target", name)
        if name not in OPTIONS:
            advice = nearest(name, OPTIONS) or f"the options are {', '.join(OPTIONS)}"
            findings.error(where, ascii(value), "there is no such option", advice)
        elif value is None or not findings.check(where, value, OPTIONS[name], ascii(value)):
            continue
        elif name == "endpoint_url":
            for each in _endpoint_url_problems(value):
                findings.error(where, each.value, each.rule, each.advice)
    return findings.problems


def _endpoint_url_problems(text: Any) -> Iterator[Problem]:
    if split_ref(text)[0] not in ("http", "https"):
        yield Problem("", _shown(text), "must be a URL", "write https://HOST or http://HOST:PORT")
    else:
        yield from url_problems(text)

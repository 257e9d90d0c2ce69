"""The mock endpoint's command line as a table: read by `python -m loadtest.mock`, `loadtest mock` and MockProcess."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from loadtest.endpoint.latency import Law, MockSettings
from loadtest.errors import Problem, SpecError, words
from loadtest.mock.server import ServerOptions, serve, split_words
from loadtest.wire.access import mistakes

__all__ = ["OPTIONS", "Option", "arguments", "run"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option. field: of MockSettings or ServerOptions. kind: bool is a flag without a value. choices: () is any."""

    field: str
    kind: type
    help: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        return "--" + self.field.replace("_", "-")

    @property
    def default(self) -> Any:
        return _DEFAULTS[self.field]


MOST_WAIT_S = 1e9  # what an event loop can count to

_SERVER, _SETTINGS = ServerOptions(), MockSettings()
_SERVER_FIELDS = tuple(field.name for field in fields(ServerOptions))
_SETTINGS_FIELDS = tuple(field.name for field in fields(MockSettings))
_DEFAULTS: Mapping[str, Any] = {
    **{name: getattr(_SERVER, name) for name in _SERVER_FIELDS},
    **{name: getattr(_SETTINGS, name) for name in _SETTINGS_FIELDS},
}

OPTIONS: tuple[Option, ...] = (
    Option("host", str, "Address to listen on."),
    Option("port", int, "Port to listen on; 0: a free one."),
    Option("servers", int, "Requests served at the same time."),
    Option("service_ms", float, "Service time: fixed value, exponential mean or log-normal median."),
    Option("law", str, "Law of the service time.", get_args(Law)),
    Option("sigma", float, "Log-normal law: sigma of the logarithm."),
    Option("samples", str, "Empirical law: file with one latency in ms a line."),
    Option("queue", int, "Requests that may wait; one more is throttled."),
    Option("error_ratio", float, "Share of requests answered as ModelError, 0..1."),
    Option("stall_ratio", float, "Share of requests that take --stall-ms longer, 0..1."),
    Option("stall_ms", float, "How much longer a stalled request takes."),
    Option("freeze_at_s", float, "First freeze, seconds after the first request."),
    Option("freeze_s", float, "Length of a freeze, in which nothing is served; 0: none."),
    Option("freeze_every_s", float, "From one freeze to the next; 0: one freeze only."),
    Option("cold_start_ms", float, "How much longer each server's first request takes."),
    Option("parts", int, "Parts of a streamed answer."),
    Option("part_gap_ms", float, "Time between the parts of a streamed answer."),
    Option("response_bytes", int, "Length of an answer's body; 0: a short JSON document."),
    Option("seed", int, "Seed of everything drawn at random."),
    Option("name", str, "The only endpoint name that is served; default: any."),
    Option("variant", str, "The only production variant; default: any."),
    Option("tls_cert", str, "PEM file with the certificate chain: serve HTTPS."),
    Option("tls_key", str, "PEM file with the key, if it is not in --tls-cert."),
    Option("log", str, "Write each success's latency to this file: int64, us, little-endian."),
    Option("idle_timeout_s", float, "Close a connection that has been without a request for so long."),
    Option("request_timeout_s", float, "Time from a request's first byte to its last."),
    Option("allow_origin", str, "Web pages that may use it (http://localhost:3000), separated by commas."),
    Option("allow_host", str, "Names that it goes by besides loopback and --host, separated by commas."),
    Option("until_stdin_closes", bool, "End at the end of file on stdin, too."),
)


def arguments(settings: MockSettings, options: ServerOptions) -> list[str]:
    """The command line that stands for both values, without what is at its default."""
    line = []
    for option in OPTIONS:
        value = getattr(options if option.field in _SERVER_FIELDS else settings, option.field)
        if value != option.default:
            line.append(option.flag if option.kind is bool else f"{option.flag}={value}")
    return line


def run(values: Mapping[str, Any]) -> int:
    """Serve with the values of OPTIONS by field name, until told to end; the exit code: 0, or 2 for wrong usage."""
    try:
        problems = list(_problems(values))
        try:
            settings = MockSettings(**{name: values[name] for name in _SETTINGS_FIELDS})
        except SpecError as error:
            raise SpecError([*problems, *error.problems]) from None
        if problems:
            raise SpecError(problems)
        options = ServerOptions(**{name: values[name] for name in _SERVER_FIELDS})
        serve(settings, options)
    except SpecError as problem:
        print("\n".join(f"error: {line}" for line in str(problem).splitlines()), file=sys.stderr)
    except OSError as problem:
        where = problem.filename or f"cannot listen on {values['host']}:{values['port']}"
        print(f"error: the mock endpoint: {where}: {words(problem)}", file=sys.stderr)
    else:
        return 0
    return 2


def _problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Of how it listens; what a setting of the endpoint may be is known to MockSettings."""
    if values["tls_key"] and not values["tls_cert"]:
        yield Problem("--tls-key", values["tls_key"], "is a key without a certificate", "give --tls-cert too")
    if not 0 <= values["port"] <= 65535:
        yield Problem("--port", str(values["port"]), "must be from 0 to 65535")
    yield from mistakes(split_words(values["allow_origin"]), split_words(values["allow_host"]))
    for name in ("idle_timeout_s", "request_timeout_s"):
        if not 0 < values[name] <= MOST_WAIT_S:
            flag = f"--{name.replace('_', '-')}"
            yield Problem(flag, str(values[name]), f"must be more than 0, and at most {MOST_WAIT_S:g}")

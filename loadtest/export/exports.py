"""All exports of a run's metrics together: opened before any traffic, fed from windows, closed without making it wait.

The packages that speak a format are extras, and imported only if their export is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from loadtest.core.judge.trust import TrustWatch
from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.errors import Problem, SpecError
from loadtest.export.metrics import Labels, Metrics
from loadtest.export.push import Push

__all__ = ["ExportOptions", "Exports"]

TEXTFILE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Where a run's metrics go. listen: (host, port) for Prometheus to scrape. textfile: for node_exporter. otlp: send
    by OTLP.
    """

    listen: tuple[str, int] | None = None
    textfile: str | None = None
    otlp: bool = False


class Exports:
    """A context manager. Raises SpecError when made: a missing extra, a port in use, a file that cannot be written.

    urls: where Prometheus can scrape. losses: after the end, a sentence for each export of which something was lost.
    """

    def __init__(self, wanted: ExportOptions) -> None:
        self.urls: list[str] = []
        self.losses: list[str] = []
        self._runs: tuple[Metrics, ...] = ()
        self._trust: TrustWatch | None = None
        self._pushes: list[Push] = []
        self._server: Any = None
        self._sender: Any = None
        if wanted.textfile is not None:
            self._open_textfile(wanted.textfile)
        if wanted.otlp and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true":
            self._open_otlp()
        if wanted.listen is not None:
            self._open_server(*wanted.listen)

    def __enter__(self) -> Exports:
        for push in self._pushes:
            push.start()
        if self._server is not None:
            self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.losses = [loss for push in self._pushes if (loss := push.close())]
        if self._server is not None:
            self._server.close()

    def begin(self, plan: Plan, labels: Labels) -> None:
        """A run begins; what is told from now on is of it. Those before keep their last values."""
        if self._pushes or self._server is not None:  # else nobody asks
            self._trust = TrustWatch(plan)
        self._runs = (*self._runs, Metrics(labels, plan.stop.latency))
        if self._sender is not None:
            self._sender.begin(labels)

    def facts(self, facts: Mapping[str, str]) -> None:
        """What the target of the run told of itself."""
        self._change(replace(self._runs[-1], facts=facts))

    def window(self, window: Window, progress: Mapping[str, Any]) -> None:
        """The run's next window."""
        if self._trust is None:
            return
        self._trust.observe(window)
        self._change(self._runs[-1].after(window, progress, trusted=self._trust.trust.valid))

    def end(self, result: RunResult) -> None:
        """The run is over."""
        self._change(self._runs[-1].ended(result))

    def _source(self) -> tuple[Metrics, ...]:
        return self._runs

    def _change(self, run: Metrics) -> None:
        # A new tuple: whoever exports at this moment has the old one, whole.
        self._runs = (*self._runs[:-1], run)

    def _open_textfile(self, textfile: str) -> None:
        with _extra("--prometheus-textfile", "prometheus"):
            from loadtest.export.prometheus import write_textfile
        path = os.path.abspath(textfile)

        def write() -> None:
            write_textfile(path, self._source)

        try:
            write()
        except OSError as problem:
            rule = f"cannot be written: {problem.strerror}"
            raise SpecError([Problem("--prometheus-textfile", textfile, rule)]) from None
        self._pushes.append(Push(f"metrics in {textfile}", write, TEXTFILE_EVERY_S))

    def _open_otlp(self) -> None:
        with _extra("--otlp", "otel"):
            from loadtest.export.send import OtlpSender

            self._sender = sender = OtlpSender(self._source)
        self._pushes.append(Push("metrics by OTLP", sender.send, sender.every_s, sender.close))

    def _open_server(self, host: str, port: int) -> None:
        with _extra("--prometheus", "prometheus"):
            from loadtest.export.server import ScrapeServer
        self._server = ScrapeServer(self._source, host, port)
        self.urls.append(self._server.url)


@contextmanager
def _extra(flag: str, extra: str) -> Iterator[None]:
    """Inside, modules that need packages of an extra are imported."""
    try:
        yield
    except ModuleNotFoundError as problem:
        rule = f"needs the package {problem.name}, which is not installed"
        raise SpecError([Problem(flag, "", rule, f"pip install 'loadtest[{extra}]'")]) from None

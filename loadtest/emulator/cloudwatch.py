"""What a job says while it runs, put into CloudWatch Logs and metrics by their own API.

A thread of its own takes the events, so a test never waits for them and a job's first line does not wait for moto's
import. `settle` waits until what was said so far can be read, which makes reads consistent.
"""

from __future__ import annotations

import logging
import math
import queue
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from loadtest.emulator.clients import InProcessClients
from loadtest.emulator.moto_cloudwatch import carried
from loadtest.jobs.events import LOG_GROUP, MetricPoint

__all__ = ["CloudWatch"]

_log = logging.getLogger(__name__)

_AHEAD_S = 7000
GATHER_S = 0.25
QUEUE_LENGTH = 200_000
_LINES_PER_CALL = 1_000
_POINTS_PER_CALL = 500
_T = TypeVar("_T")


class _Line(NamedTuple):
    stream: str
    message: str
    time_ms: int


class CloudWatch:
    """An EventSink (loadtest.jobs.events) on the clients of a fallback. `close` writes what is left.

    Within a stream no line is older than the one before it, so that who follows it by token loses and repeats none.
    taught: the fallback is moto in this process, which was taught (loadtest.emulator.moto_cloudwatch).
    queue_length: events that may wait; what comes then is dropped. gather_s: how long to wait for more of a batch.
    """

    def __init__(
        self,
        clients: InProcessClients,
        *,
        taught: bool = False,
        queue_length: int = QUEUE_LENGTH,
        gather_s: float = GATHER_S,
    ) -> None:
        self._clients = clients
        self._taught = taught
        self._gather_s = gather_s
        self._told_ms: dict[str, int] = {}  # by stream, the time of its last line
        self._queue: queue.Queue[_Line | MetricPoint | threading.Event | None] = queue.Queue(queue_length)
        self._streams: set[str] = set()
        self._has_group = False
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._work, name="loadtest-cloudwatch", daemon=True)
        self._thread.start()

    def log(self, stream: str, message: str, time_s: float) -> None:
        """One line of a stream of LOG_GROUP; time_s: epoch seconds."""
        self._put(_Line(stream, message, round(time_s * 1000)))

    def metric(self, point: MetricPoint) -> None:
        """One minute of a metric."""
        self._put(point)

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything said before this call is written; False: the time was too short."""
        written = threading.Event()
        self._wanted.set()
        try:
            self._queue.put(written, timeout=timeout_s)  # never dropped: somebody waits for it
        except queue.Full:
            return False
        return written.wait(timeout_s)

    @property
    def waiting(self) -> int:
        """How many events wait to be taken."""
        return self._queue.qsize()

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write what is left and end the thread; False: the time was too short."""
        self._wanted.set()
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            _log.warning("CloudWatch is %d events behind at the end: they are lost", self.waiting)
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _put(self, item: _Line | MetricPoint) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            _log.warning("CloudWatch is %d events behind: one is dropped", self.waiting)

    def _work(self) -> None:
        going = True
        while going:
            batch = [self._queue.get()]
            # More lines of the same stream are about to come, and each call costs the fallback milliseconds.
            self._wanted.wait(self._gather_s)
            self._wanted.clear()
            while len(batch) < _LINES_PER_CALL and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                self._write_lines([item for item in batch if isinstance(item, _Line)])
                self._write_points([item for item in batch if isinstance(item, MetricPoint)])
            except Exception:
                # The thread outlives anything the fallback does; what was lost is in the log.
                _log.exception("CloudWatch lost up to %d events", len(batch))
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
            going = None not in batch

    def _write_lines(self, lines: Sequence[_Line]) -> None:
        # A job in virtual time ends in the future; CloudWatch refuses what is more than two hours ahead.
        latest_ms = sys.maxsize if self._taught else int((time.time() + _AHEAD_S) * 1000)
        streams: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in lines:
            told_ms = max(min(line.time_ms, latest_ms), self._told_ms.get(line.stream, 0))
            self._told_ms[line.stream] = told_ms
            streams[line.stream].append({"timestamp": told_ms, "message": line.message or " "})
        for stream, events in streams.items():
            try:
                self._write_stream(stream, events)
            except (ClientError, BotoCoreError):
                _log.exception("%d log events of %s were refused", len(events), stream)

    def _write_stream(self, stream: str, events: list[dict[str, Any]]) -> None:
        try:
            answer = self._append(stream, events)
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            # The stream or the group has gone since: somebody deleted it, or reset moto.
            self._streams.clear()
            self._has_group = False
            answer = self._append(stream, events)
        if answer.get("rejectedLogEventsInfo"):
            _log.warning("log events of %s were rejected: %s", stream, answer["rejectedLogEventsInfo"])

    def _append(self, stream: str, events: list[dict[str, Any]]) -> Mapping[str, Any]:
        logs = self._clients.client("logs")
        if not self._has_group:
            _make(logs.create_log_group, logGroupName=LOG_GROUP)
            self._has_group = True
        if stream not in self._streams:
            _make(logs.create_log_stream, logGroupName=LOG_GROUP, logStreamName=stream)
            self._streams.add(stream)
        with self._carried():
            answer: Mapping[str, Any] = logs.put_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events
            )
        return answer

    def _carried(self, points: Sequence[MetricPoint] = ()) -> AbstractContextManager[None]:
        return carried(points) if self._taught else nullcontext()

    def _write_points(self, points: Sequence[MetricPoint]) -> None:
        by_namespace: defaultdict[str, list[MetricPoint]] = defaultdict(list)
        for point in points:
            by_namespace[point.namespace].append(point)
        for namespace, of_namespace in by_namespace.items():
            for part in _parts(of_namespace, _POINTS_PER_CALL):
                data = [_datum(point) for point in part]
                try:
                    with self._carried(part):
                        self._clients.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)
                except (ClientError, BotoCoreError):
                    _log.exception("%d metric values of %s were refused", len(part), namespace)


def _make(create: Any, **names: str) -> None:
    try:
        create(**names)
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _datum(point: MetricPoint) -> dict[str, Any]:
    pairs = list(zip(point.values, point.counts, strict=True))
    return {
        "MetricName": point.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in point.dimensions.items()],
        "Timestamp": datetime.fromtimestamp(point.time_s, UTC),
        "Unit": point.unit,
        "StatisticValues": {
            "SampleCount": math.fsum(count for _, count in pairs),
            "Sum": math.fsum(value * count for value, count in pairs),
            "Minimum": min(point.values),
            "Maximum": max(point.values),
        },
    }


def _parts(items: Sequence[_T], length: int) -> Iterator[Sequence[_T]]:
    starts: Iterable[int] = range(0, len(items), length)
    for start in starts:
        yield items[start : start + length]

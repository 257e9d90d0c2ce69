"""One client's connection: bytes to requests, requests to the model, answers back in order and on time."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Protocol, cast

from loadtest.endpoint.latency import Answer, LatencyModel
from loadtest.mock.reply import LATENCY_HEADER, reply, stream_head
from loadtest.mock.request import Request, RequestReader
from loadtest.mock.runtime import Invocation, MockReply, Runtime
from loadtest.mock.stage import Stage
from loadtest.mock.stats import LatencyLog, Stats

__all__ = ["ServerConnection", "Service"]

_PIPELINED = 16  # complete requests that wait for their turn before no more bytes are read
_LINGER_S = 2.0  # how long a refused client's remaining bytes are read and dropped, so that it gets to see the answer
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Service(Protocol):
    """What all connections of a server share. Limits in seconds; statistics: JSON, made aside from the timers."""

    loop: asyncio.AbstractEventLoop
    model: LatencyModel
    runtime: Runtime
    stats: Stats
    log: LatencyLog | None
    idle_timeout_s: float
    request_timeout_s: float
    connections: set[ServerConnection]
    stopping: bool

    async def statistics(self) -> bytes: ...


class ServerConnection(asyncio.Protocol):
    """Serves one request at a time; those that are pipelined reach the model when it is their turn.

    deadline_s: instant of the loop's clock after which the server closes the connection: a client that is silent, that
    sends its request too slowly or does not take its answer. Infinite while the model has the request.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reader = RequestReader()
        self._out: asyncio.Transport  # from connection_made on
        self._stage = Stage.WAITING
        self._request: Request | None = None  # the one being served
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._received = 0
        self._eof = self._blocked = self._full = False  # of the socket's two directions: see stage.py
        self.deadline_s = math.inf

    @property
    def idle(self) -> bool:
        """No request is being served or waits to be."""
        return self._request is None and not self._reader.ready

    # Callbacks of asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            # Nagle and a delayed ACK together would add 40 ms to an answer in two segments.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._service.connections.add(self)
        self._service.stats.connections += 1
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        if self._stage is not Stage.LINGERING:
            self._reader.feed(data)
            self._proceed()

    def eof_received(self) -> bool:
        self._eof = True
        self._proceed()
        # A client may close its half after its last request and still read the answer; TLS has no half-closed state.
        return not self.idle and self._out.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        if self._stage is Stage.INVOKING:
            self._service.stats.in_flight -= 1
            self._service.stats.abandoned += 1
            self._stage = Stage.SERVING
        self._reader.ready.clear()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._proceed()

    # The server's part.

    def expire(self) -> None:
        """The deadline has passed: tell a client in the middle of a request, and close."""
        if self._reader.receiving and self._stage is not Stage.LINGERING and not self._blocked:
            self._refuse(408, "The request was not complete in time.")
        else:
            self._out.abort()

    def close(self) -> None:
        """Close as soon as the answers so far are sent."""
        self._out.close()

    def abort(self) -> None:
        """Close at once; an answer under way is lost."""
        self._out.abort()

    def _proceed(self) -> None:
        """Do all that can be done now: the next request, or what ends the connection, or a `100 Continue`."""
        reader = self._reader
        while self._stage is Stage.WAITING and reader.ready and not self._blocked:
            self._serve(reader.ready.popleft())
        if self._stage is Stage.WAITING and not reader.ready:
            if reader.refusal is not None:
                self._refuse(reader.refusal.status, reader.refusal.message)
            elif self._eof or (self._service.stopping and not reader.receiving):
                self._out.close()
            elif reader.expects_continue:
                reader.expects_continue = False
                self._out.write(_CONTINUE)
        if self._full != (len(reader.ready) > _PIPELINED) and not self._out.is_closing():
            self._full = not self._full
            (self._out.pause_reading if self._full else self._out.resume_reading)()
        self._set_deadline()

    def _set_deadline(self) -> None:
        service, reader = self._service, self._reader
        if self._stage is Stage.LINGERING:
            return
        if self._blocked:
            self.deadline_s = min(self.deadline_s, service.loop.time() + service.request_timeout_s)
        elif self._stage is not Stage.WAITING:
            self.deadline_s = math.inf
            self._received = 0
        elif not reader.receiving:
            self.deadline_s = service.loop.time() + service.idle_timeout_s
        elif reader.begun != self._received:
            # Counted from the first byte: sending the rest slowly does not prolong it.
            self._received = reader.begun
            self.deadline_s = service.loop.time() + service.request_timeout_s

    def _serve(self, request: Request) -> None:
        service = self._service
        self._stage, self._request = Stage.SERVING, request
        try:
            found = service.runtime.route(request)
            if found is None:
                self._task = service.loop.create_task(self._tell_statistics())
            elif isinstance(found, MockReply):
                service.stats.invalid += found.status >= 400
                self._finish(found)
            else:
                self._invoke(found)
        except Exception as problem:
            self._fail(problem)

    def _invoke(self, invocation: Invocation) -> None:
        service = self._service
        settings = service.model.settings
        extra_s = (settings.parts - 1) * settings.part_gap_ms / 1000 if invocation.stream else 0.0
        now_s = service.loop.time()
        answer = service.model.arrive(now_s, extra_s)
        service.stats.invocations += 1
        service.stats.in_flight += 1
        self._stage = Stage.INVOKING
        act = self._stream if invocation.stream and answer.ok else self._answer
        if answer.first_s <= now_s:
            act(invocation, answer, now_s)
        else:
            self._timer = service.loop.call_at(answer.first_s, self._due, act, invocation, answer, now_s)

    def _due(self, act: Callable[..., None], *arguments: object) -> None:
        """A timer's end: act, and go on with what the client has sent since."""
        self._timer = None
        try:
            act(*arguments)
        except Exception as problem:
            self._fail(problem)
        if not self._out.is_closing():
            self._proceed()

    def _answer(self, invocation: Invocation, answer: Answer, arrived_s: float) -> None:
        latency_us = self._latency_us(arrived_s)
        self._count(answer, latency_us)
        request = self._request
        assert request is not None
        if answer.ok and request.http11 and self._keeps(request):
            self._out.write(self._service.runtime.quick_reply(invocation, latency_us))
            self._end(keep=True)
        else:
            self._finish(self._service.runtime.reply(invocation, answer, latency_us))

    def _stream(self, invocation: Invocation, answer: Answer, arrived_s: float) -> None:
        request = self._request
        assert request is not None
        # The head goes out before the last part is due: what the model will have taken then is known already.
        planned_us = self._latency_us(arrived_s) + round((answer.done_s - answer.first_s) * 1e6)
        headers = (*self._service.runtime.answer_headers(invocation), (LATENCY_HEADER, str(planned_us)))
        keep = self._keeps(request)
        head = stream_head(200, headers, keep_alive=keep, http11=request.http11)
        frames = self._service.runtime.parts(invocation)
        step_s = (answer.done_s - answer.first_s) / max(1, len(frames) - 1)
        self._part(head, frames, 0, step_s, answer, arrived_s)

    def _part(self, head: bytes, frames: list[bytes], i: int, step_s: float, answer: Answer, arrived_s: float) -> None:
        request = self._request
        assert request is not None
        piece = b"%x\r\n%b\r\n" % (len(frames[i]), frames[i]) if request.http11 else frames[i]
        last = i == len(frames) - 1
        self._out.write(head + piece + (b"0\r\n\r\n" if last and request.http11 else b""))
        if last:
            self._count(answer, self._latency_us(arrived_s))
            self._end(keep=request.http11 and self._keeps(request))
        else:
            due_s = answer.first_s + (i + 1) * step_s
            rest = (b"", frames, i + 1, step_s, answer, arrived_s)
            self._timer = self._service.loop.call_at(due_s, self._due, self._part, *rest)

    def _count(self, answer: Answer, latency_us: int) -> None:
        service = self._service
        self._stage = Stage.SERVING
        service.stats.in_flight -= 1
        if answer.ok:
            service.stats.ok += 1
            service.stats.latencies.record(latency_us)
            if service.log is not None:
                service.log.record(latency_us)
        elif answer.code == "ModelError":
            service.stats.errors += 1
        else:
            service.stats.throttled += 1

    async def _tell_statistics(self) -> None:
        body = await self._service.statistics()
        self._due(self._finish, MockReply(200, (("Content-Type", "application/json"),), body))

    def _latency_us(self, arrived_s: float) -> int:
        return round((self._service.loop.time() - arrived_s) * 1e6)

    def _keeps(self, request: Request) -> bool:
        return request.keep_alive and not (self._service.stopping and not self._reader.ready)

    def _finish(self, found: MockReply) -> None:
        """Answer the current request in one write."""
        request = self._request
        assert request is not None
        keep = self._keeps(request)
        self._out.write(reply(*found, keep_alive=keep, http11=request.http11, send_body=request.method != b"HEAD"))
        self._end(keep=keep)

    def _end(self, *, keep: bool) -> None:
        self._stage, self._request, self._timer, self._task = Stage.WAITING, None, None, None
        if not keep:
            self._linger()

    def _fail(self, problem: Exception) -> None:
        """Ours: 500, and the server lives on."""
        self._service.stats.faults += 1
        self._service.stats.in_flight -= self._stage is Stage.INVOKING
        self._service.loop.call_exception_handler({"message": "a request could not be served", "exception": problem})
        if self._request is not None and not self._out.is_closing():
            self._finish(self._service.runtime.error(500, "InternalFailure", "The mock endpoint failed."))

    def _refuse(self, status: int, message: str) -> None:
        self._service.stats.invalid += 1
        found = self._service.runtime.error(status, "", message)
        self._out.write(reply(*found, keep_alive=False))
        self._linger()

    def _linger(self) -> None:
        """Close, but read on for a moment: closing with unread bytes resets the connection under the answer."""
        self._stage = Stage.LINGERING
        self._reader.ready.clear()
        if self._eof or not self._out.can_write_eof():
            self._out.close()
            return
        try:
            self._out.write_eof()
        except OSError:  # the client has reset the connection
            self._out.abort()
            return
        self._out.resume_reading()
        self.deadline_s = self._service.loop.time() + _LINGER_S

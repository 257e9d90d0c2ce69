"""A target that tells what it was sent."""

from __future__ import annotations

import time

import gevent

from loadtest import Kind, Outcome, Payload


class Told:
    """Answers after 10 ms; the names of the payloads are the details of its failures."""

    def invoke(self, payload: Payload) -> Outcome:
        sent_ns = time.monotonic_ns()
        gevent.sleep(0.01)
        done_ns = time.monotonic_ns()
        return Outcome(
            Kind.SERVER_ERROR, 500, 0, sent_ns, done_ns, done_ns, None, f"{payload.name} {payload.content_type}"
        )

    def close(self) -> None:
        pass

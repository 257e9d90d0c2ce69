"""moto without requests to the outside: what a client of the emulator can make it send, and where.

moto posts to the URL of an SNS subscription (http, https), of an EventBridge API destination, of a Firehose
destination and of an API Gateway integration, whatever it is: any client could make this server post anywhere. Each of
those modules looks the library `requests` up under that name, so there a stand-in refuses what a request to the
emulator causes. The rest of the process, which may be somebody's test suite with moto of its own, is not touched.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["kept_in_process"]

_MODULES = (
    "moto.sns.models",
    "moto.events.models",
    "moto.firehose.models",
    "moto.apigateway.models",
    "moto.apigateway.integration_parsers.aws_parser",
    "moto.apigateway.integration_parsers.http_parser",
)
_REFUSAL = "the emulator sends nothing to URLs that come in by requests"
_SENDING = frozenset({"request", "get", "post", "put", "patch", "delete", "head", "options", "Session", "session"})
_lock = threading.Lock()
_here = threading.local()


class _Guarded:
    """In the place of the module `requests`: the same, but that it sends nothing within `kept_in_process`."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in _SENDING or not getattr(_here, "kept", False):
            return found
        return self._refuse

    def _refuse(self, *_: Any, **__: Any) -> Any:
        """A response 403 of nobody."""
        answer = self._real.Response()
        answer.status_code, answer.reason = 403, _REFUSAL
        answer._content = _REFUSAL.encode()
        return answer


@contextmanager
def kept_in_process() -> Iterator[None]:
    """While this lasts, moto sends nothing to anybody from this thread."""
    with _lock:
        for name in _MODULES:  # moto loads a service's modules at its first request
            module: Any = sys.modules.get(name)
            real = getattr(module, "requests", None)
            if real is not None and not isinstance(real, _Guarded):
                module.requests = _Guarded(real)
    _here.kept = True
    try:
        yield
    finally:
        _here.kept = False

"""What the control plane answers when it refuses: the API's error codes, with their HTTP status as one table."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.errors import LoadtestError, SpecError, readable

__all__ = ["HTTP_STATUS", "ApiError", "invalid", "not_found", "refusal"]

HTTP_STATUS: Mapping[str, int] = {
    "ResourceInUse": 400,
    "ResourceLimitExceeded": 400,
    "ResourceNotFound": 400,
    "ServiceUnavailable": 503,
    "ValidationException": 400,
}

_LISTED, _LONGEST = 100, 4096  # problems in a message, characters of one


class ApiError(LoadtestError):
    """A refusal. code: as the service sends it in `__type`, without an "Exception" suffix where AWS has none."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = readable(message)

    @property
    def http_status(self) -> int:
        return HTTP_STATUS[self.code]


def invalid(message: str) -> ApiError:
    """A request that breaks a documented rule."""
    return ApiError("ValidationException", message)


def not_found(name: str) -> ApiError:
    """No such job."""
    return ApiError("ResourceNotFound", f"Could not find inference recommendations job {name!r}")


def refusal(problem: SpecError) -> ApiError:
    """Every problem of a request in one ValidationException; of very many the first, and how many more there are."""
    faults = problem.problems
    more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
    return invalid("; ".join(str(fault)[:_LONGEST] for fault in faults[:_LISTED]) + more)

"""Signing credentials from botocore's chain, refreshed before they expire while requests go on being signed.

The old credentials stay valid for minutes after botocore thinks of new ones, so the refresh runs beside the users; only
in their last second does a request wait for it. In the generator's patched process threads are greenlets.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from botocore import exceptions as boto

from loadtest.errors import TargetError, masked
from loadtest.wire.sigv4 import Credentials

__all__ = ["NO_REGION", "REFUSED", "CredentialSource", "NoCredentials", "credentials_of"]

# What botocore's chain raises when it has found who to ask, and got nothing. RuntimeError: new ones that have expired;
# the last three: a program that is not there, an answer that is none.
REFUSED = (boto.ClientError, boto.BotoCoreError, RuntimeError, OSError, ValueError, LookupError)
NO_REGION = "no AWS region: give --region (the option region), set AWS_DEFAULT_REGION, or name one in the profile"
_NO_CREDENTIALS = "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a profile"
_RETRIES_S = (10, 3, 1)  # between two tries beside the requests: the first of which three fit into what is left
_EXPIRED_RETRY_S = 1
# A head is signed for a whole second, and its last request is on its way for a while: with less left, new ones are
# waited for.
_LAST_S = 1.5
_log = logging.getLogger(__name__)


class NoCredentials(Exception):
    """The credentials expired and could not be refreshed; never leaves the targets."""


def credentials_of(session: Any) -> Any:
    """What a session of botocore signs with, asked for once: else each request of each user would be refused its own.

    Raises TargetError, in a sentence, if there are none, or who gives them refuses.
    """
    try:
        found = session.get_credentials()
        if found is not None:
            found.get_frozen_credentials()
    except boto.NoRegionError:
        raise TargetError(NO_REGION) from None
    except REFUSED as problem:
        raise TargetError(_refusal(session, problem)) from problem
    if found is None:
        raise TargetError(_NO_CREDENTIALS)
    return found


def _refusal(session: Any, problem: Exception) -> str:
    """Which profile, which role, which action, and AWS's own words. problem: one of REFUSED."""
    profile = session.profile or "default"
    config = session.full_config.get("profiles", {}).get(profile, {})
    role = config.get("role_arn") or config.get("sso_role_name") or os.environ.get("AWS_ROLE_ARN")
    who = f"the profile {profile}" + (f", role {role}" if role else "")
    action = getattr(problem, "operation_name", None)
    if action is None:
        words = str(problem) if isinstance(problem, (boto.BotoCoreError, RuntimeError, OSError)) else repr(problem)
        return masked(f"no AWS credentials for {who}: {words}")
    error = problem.response.get("Error", {})  # type: ignore[attr-defined]
    said = ": ".join(str(error[name]) for name in ("Code", "Message") if error.get(name))
    return f"AWS refused {action} for {who}: {said or 'without a reason'}"


class CredentialSource:
    """Frozen credentials of botocore's `Credentials` object `source`. Raises what botocore raises if it has none."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._idle = threading.Event()  # nobody refreshes beside the requests
        self._idle.set()
        self._next_early_s = 0
        self._next_late_s = 0
        self._renewed_s = -1
        self.current = self._read()

    def check(self, now_s: int) -> Credentials:
        """The credentials to sign with at `now_s`; call it about once a second. Raises NoCredentials.

        The same object as long as they do not change.
        """
        needed = getattr(self._source, "refresh_needed", None)
        if needed is None:
            return self.current
        if needed(refresh_in=_LAST_S):
            self._refresh_now(now_s)
        elif needed() and now_s >= self._next_early_s and self._idle.is_set():
            fitting = (wait_s for wait_s in _RETRIES_S if not needed(refresh_in=3 * wait_s))
            self._next_early_s = now_s + next(fitting, _RETRIES_S[-1])
            self._idle.clear()
            threading.Thread(target=self._refresh_beside, name="loadtest-credentials", daemon=True).start()
        return self.current

    def _refresh_now(self, now_s: int) -> None:
        """Waits for new ones. If there are none, the old ones serve for as long as they last."""
        self._idle.wait()  # else botocore asks once more after that answer
        with self._lock:
            if not self._source.refresh_needed(refresh_in=_LAST_S):
                self._take()
                return
            expired = self._source.refresh_needed(refresh_in=0)
            if now_s == self._renewed_s and not expired:
                return  # all that are given last no longer
            if now_s >= self._next_late_s:
                try:
                    self._take()
                    self._renewed_s = now_s
                    return
                except Exception as problem:
                    # Else every request of every user would ask a service that is down.
                    self._next_late_s = now_s + _EXPIRED_RETRY_S
                    _log.warning("credentials cannot be refreshed: %s", masked(str(problem)))
            if self._source.refresh_needed(refresh_in=0):
                raise NoCredentials

    def _refresh_beside(self) -> None:
        try:
            self._take()
        except Exception as problem:
            _log.warning("credentials cannot be refreshed yet: %s", masked(str(problem)))
        finally:
            self._idle.set()

    def _take(self) -> None:
        found = self._read()
        if found != self.current:
            self.current = found

    def _read(self) -> Credentials:
        frozen = self._source.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

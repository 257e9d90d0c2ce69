"""Credentials refreshed beside the requests, by botocore's own refreshable credentials with a clock of ours."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials as Permanent
from botocore.credentials import RefreshableCredentials

from loadtest.targets.credentials import CredentialSource, NoCredentials

START = datetime(2026, 1, 1, tzinfo=UTC)


class Issuer:
    """Issues credentials for an hour, numbered; fails or waits when told to."""

    def __init__(self, life_s: float = 3600) -> None:
        self.now_s = 0.0
        self.life_s = life_s
        self.issued = 0
        self.fails = False
        self.go_on = threading.Event()
        self.go_on.set()
        self.finished = threading.Event()
        first = self.issue()
        self.source = RefreshableCredentials(
            first["access_key"],
            first["secret_key"],
            first["token"],
            expiry_time=datetime.fromisoformat(first["expiry_time"]),
            refresh_using=self.issue,
            method="test",
            time_fetcher=lambda: START + timedelta(seconds=self.now_s),
        )

    def issue(self) -> dict[str, Any]:
        try:
            self.go_on.wait(10)
            if self.fails:
                raise OSError("the issuer is down")
            self.issued += 1
            expiry = (START + timedelta(seconds=self.now_s + self.life_s)).isoformat()
            return {"access_key": f"AK{self.issued}", "secret_key": "s", "token": "t", "expiry_time": expiry}
        finally:
            self.finished.set()

    def settle(self) -> None:
        """Wait for the threads that refresh."""
        for thread in threading.enumerate():
            if thread.name == "loadtest-credentials":
                thread.join(10)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def check(found: CredentialSource, issuer: Issuer, now_s: int) -> str:
    issuer.now_s = now_s
    return found.check(now_s).access_key


def test_permanent_credentials_stay() -> None:
    found = CredentialSource(Permanent("AK", "s", None))
    assert found.check(0) is found.check(10**9) is found.current
    assert (found.current.access_key, found.current.token) == ("AK", None)


def test_they_are_refreshed_beside_the_requests_before_they_expire(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    assert check(found, issuer, 2600) == "AK1"
    issuer.go_on.clear()
    # 15 minutes before the end botocore wants new ones; requests are signed with the old ones meanwhile.
    assert [check(found, issuer, now_s) for now_s in (2701, 2702, 2800)] == ["AK1"] * 3
    issuer.go_on.set()
    issuer.settle()
    assert check(found, issuer, 2801) == "AK2"
    assert issuer.issued == 2
    assert found.check(2801) is found.check(2802)


def test_a_refresh_that_fails_is_tried_again_while_the_old_ones_last(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    issuer.fails = True
    assert check(found, issuer, 2701) == "AK1"
    issuer.settle()
    issuer.finished.clear()
    assert check(found, issuer, 2705) == "AK1"  # not asked again at once
    issuer.settle()
    assert not issuer.finished.is_set()
    issuer.fails = False
    check(found, issuer, 2711)
    issuer.settle()
    assert check(found, issuer, 2712) == "AK2"


def test_the_less_is_left_the_more_often_it_is_tried(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    issuer.fails = True
    tried = []
    for now_s in range(3560, 3600):
        issuer.finished.clear()
        assert check(found, issuer, now_s) == "AK1"
        issuer.settle()
        if issuer.finished.is_set():
            tried.append(now_s)
    assert tried == [3560, 3570, 3580, 3583, 3586, 3589, *range(3592, 3600)]


def test_expired_ones_are_waited_for_and_the_failure_is_told(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    issuer.fails = True
    check(found, issuer, 3599)  # a try beside the requests that fails delays no later one
    issuer.settle()
    with pytest.raises(NoCredentials):
        check(found, issuer, 3601)
    issuer.finished.clear()
    with pytest.raises(NoCredentials):
        check(found, issuer, 3601)
    assert not issuer.finished.is_set()  # the issuer is asked once a second, not once a request
    issuer.fails = False
    assert check(found, issuer, 3602) == "AK2"


def test_none_is_signed_with_that_ends_before_the_request_can_be_there(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    # The head of second 3599 is sent until 3599.999: with credentials that end at 3600 its last would come too late.
    assert check(found, issuer, 3599) == "AK2"


def test_the_last_second_is_used_if_there_are_no_new_ones(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    issuer.fails = True
    assert check(found, issuer, 3599) == "AK1"
    with pytest.raises(NoCredentials):
        check(found, issuer, 3601)


def test_ones_that_last_no_longer_than_that_are_asked_for_once_a_second_whoever_asks() -> None:
    issuer = Issuer(1.2)
    found = CredentialSource(issuer.source)  # asks a second time, as botocore does so near the end
    for now_s in range(1, 6):
        assert [check(found, issuer, now_s) for _ in range(8)] == [f"AK{now_s + 2}"] * 8
    assert issuer.issued == 7


def test_a_refresh_that_is_under_way_is_waited_for_and_not_made_twice(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    issuer.go_on.clear()
    assert check(found, issuer, 3590) == "AK1"
    issuer.now_s = 3599
    threading.Timer(0.2, issuer.go_on.set).start()
    assert found.check(3599).access_key == "AK2"
    assert issuer.issued == 2


def test_many_users_wait_for_one_refresh(issuer: Issuer) -> None:
    found = CredentialSource(issuer.source)
    issuer.now_s = 3700
    issuer.go_on.clear()
    seen: list[str] = []
    users = [threading.Thread(target=lambda: seen.append(found.check(3700).access_key)) for _ in range(8)]
    for user in users:
        user.start()
    issuer.go_on.set()
    for user in users:
        user.join(10)
    assert seen == ["AK2"] * 8
    assert issuer.issued == 2

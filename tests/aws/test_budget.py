"""The budget, by a clock of the test's."""

from __future__ import annotations

import pytest

from loadtest.aws.budget import RESERVE_S, Budget, hourly_usd, no_price
from loadtest.aws.cost import known_prices
from loadtest.core.request.spec import EndpointConfiguration, Serverless
from loadtest.errors import TargetError


def test_everything_is_stopped_while_there_is_still_money_for_its_end() -> None:
    now, stopped = [0.0], []
    budget = Budget(1.0, lambda: now[0])
    budget.begin("a", 1.0, lambda: stopped.append("a"))
    budget.begin("b", 1.0, lambda: stopped.append("b"))
    now[0] = 500.0
    assert budget.spent_usd == 0, "nothing was made yet"
    now[0] = 0.0
    budget.created("a")
    budget.created("b")
    now[0] = 1800 - RESERVE_S - 1
    budget.look()
    assert not stopped
    now[0] += 2
    budget.look()
    budget.look()
    assert stopped == ["a", "b"]
    now[0] = 1800
    assert budget.spent_usd == pytest.approx(1.0)
    budget.end("a")
    budget.end("b")
    with pytest.raises(TargetError, match="the budget is used up"):
        budget.begin("c", 0.001, lambda: None)
    assert budget.spent_usd == pytest.approx(1.0)


def test_what_has_no_price_is_named_and_where_one_is_to_be_had() -> None:
    made = [
        EndpointConfiguration("ml.x.large"),
        EndpointConfiguration("ml.x.large"),
        EndpointConfiguration(serverless=Serverless(1024, 1)),
    ]
    assert no_price(made, "eu-west-1") == (
        "no price of ml.x.large, serverless endpoints in eu-west-1 is known, so no budget can hold: give --prices FILE, "
        "or run `loadtest prices --update --region eu-west-1`"
    )


def test_without_money_for_its_end_nothing_is_made() -> None:
    with pytest.raises(TargetError, match="the budget is used up"):
        Budget(0.001).begin("c", 10.0, lambda: None)


def test_serverless_is_counted_as_if_it_were_always_busy() -> None:
    busy = hourly_usd(EndpointConfiguration(serverless=Serverless(2048, 10)), known_prices("us-east-1"))
    assert busy == pytest.approx(0.00002 * 2 * 10 * 3600)

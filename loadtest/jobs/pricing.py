"""Prices of the AWS Price List by its API (`pricing`, GetProducts), kept in the user's cache beside the built-in ones.

The API has endpoints in few regions only; us-east-1 is asked, whatever the region of the prices is. The file is
replaced whole, after all pages were read: what cannot be reached changes nothing.
Sources: API reference of GetProducts (ServiceCode, Filters, PriceList of JSON texts, NextToken); the attributes are not
documented one by one, and read as the list has them: `regionCode` eu-west-1, `instanceName` ml.c5.xlarge, `usagetype`
EUW1-Host:ml.c5.xlarge (Host:ml.c5.xlarge in some), `component` and `platoinstancetype` Hosting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtest.cache import cache_dir, keep
from loadtest.errors import TargetError

__all__ = ["fetch_prices", "updated_file"]

_SERVICE = "AmazonSageMaker"
_HOSTING = "Hosting"  # the others are notebooks, training, processing, ...
_HOST_USAGE = re.compile(r"(?:[A-Z0-9]+-)?Host:(ml\.[a-z0-9.-]+)")


def updated_file(region: str = "us-east-1") -> Path:
    """Where the prices of a region are kept. It need not be there."""
    return cache_dir() / "prices" / f"{region}.json"


def fetch_prices(region: str, endpoint_url: str | None = None, profile: str | None = None) -> dict[str, float]:
    """USD per hour of real-time hosting by instance type, on demand, in a region; kept in `updated_file`.

    endpoint_url: of the Pricing API instead of AWS's own. Raises TargetError if it cannot be asked, has no such price,
    or the file cannot be written; the file is then as it was.
    """
    import boto3  # heavy, and needed by this alone
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from loadtest.targets.aws_session import aws_session
    from loadtest.targets.credentials import credentials_of

    prices: dict[str, float] = {}
    try:
        chain = aws_session(profile)
        credentials_of(chain)
        session = boto3.Session(botocore_session=chain)
        short = Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 2})
        client = session.client("pricing", region_name="us-east-1", endpoint_url=endpoint_url, config=short)
        filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}]
        for page in client.get_paginator("get_products").paginate(ServiceCode=_SERVICE, Filters=filters):
            for text in page["PriceList"]:
                for name, usd in _prices_of(json.loads(text)):
                    prices[name] = max(usd, prices.get(name, 0.0))  # no budget is held by the lower of two
    except TargetError as problem:
        raise TargetError(f"the prices are as they were: {problem}") from problem
    except (BotoCoreError, ClientError, ValueError, LookupError, TypeError, AttributeError) as problem:
        why = f"{type(problem).__name__}: {problem}"
        raise TargetError(f"the prices are as they were: the Pricing API cannot be asked ({why})") from problem
    if not prices:
        raise TargetError(f"the prices are as they were: the Pricing API has none for {_SERVICE} in {region}")
    told = {
        "source": f"AWS Price List, GetProducts, {_SERVICE}, {region}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "usd_per_hour": dict(sorted(prices.items())),
    }
    try:
        keep(updated_file(region), json.dumps(told, indent=1) + "\n")
    except OSError as problem:
        raise TargetError(f"the prices are as they were: {updated_file(region)}: {problem.strerror}") from problem
    return prices


def _prices_of(product: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    name = _hosted(product["product"]["attributes"])
    if name is None:
        return
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", "0"))
            if usd > 0 and str(dimension.get("unit", "")).lower() in ("hrs", "hours", "hour"):
                yield name, usd


def _hosted(attributes: Mapping[str, Any]) -> str | None:
    """The instance type that is hosted on; None: it is another product."""
    usage = attributes.get("usagetype")
    if usage:
        found = _HOST_USAGE.fullmatch(str(usage))
        return None if found is None else found[1]
    name = str(attributes.get("instanceName") or "")
    kinds = (attributes.get("component"), attributes.get("platoinstancetype"))
    return name if name.startswith("ml.") and _HOSTING in kinds else None

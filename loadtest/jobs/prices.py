"""What an hour of an instance costs: the built-in list prices, or a file of the user's own (R4).

Files: `instance_type,usd_per_hour` as CSV with that header (the built-in table's header is read too), or a mapping
`ml.c5.xlarge: 0.204` as JSON or YAML. The name `serverless_gb_second` is the price of a second of one GB of a
serverless endpoint's memory. A file replaces every built-in price: what it does not name has none.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.core.request.findings import Findings, shown
from loadtest.errors import Problem, SpecError
from loadtest.jobs.instances import SOURCES, Catalogue
from loadtest.jobs.pricing import updated_file
from loadtest.jobs.yaml_file import text_of, yaml_mapping

__all__ = ["SERVERLESS_GB_SECOND_USD", "Prices"]

SERVERLESS_GB_SECOND_USD = 0.00002
"""Per second and GB of configured memory, us-east-1 (source D of `instances`, 2022-09)."""

_SERVERLESS = "serverless_gb_second"
_COLUMNS = ("usd_per_hour", "usd_per_hour_us_east_1")


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per hour by instance type. serverless_gb_second_usd: None: serverless has no price.

    sources: where each was read and when, "" of the serverless price; what is not there is of `source`.
    """

    per_hour_usd: Mapping[str, float] = field(default_factory=dict)
    serverless_gb_second_usd: float | None = None
    source: str = "the caller"
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def built_in(cls, catalogue: Catalogue) -> Prices:
        """The list prices of `instances.csv`."""
        known = {name: instance.usd_per_hour for name, instance in catalogue.known.items()}
        sources = {name: f"{each.price_source}, {each.price_date}" for name, each in catalogue.known.items()}
        sources[""] = f"{SOURCES['D']}, 2022-09"
        priced = {name: usd for name, usd in known.items() if usd is not None}
        return cls(priced, SERVERLESS_GB_SECOND_USD, "built in", sources)

    @classmethod
    def known(cls, catalogue: Catalogue, region: str = "us-east-1") -> Prices:
        """The built-in prices, with those over them that `loadtest prices --update` kept.

        Of another region than us-east-1 only the latter, and none for serverless. A file that cannot be read is as if
        it were not there.
        """
        built_in = cls.built_in(catalogue) if region == "us-east-1" else cls(source=region)
        try:
            told = json.loads(updated_file(region).read_text("utf-8"))
            prices = {str(name): float(usd) for name, usd in told["usd_per_hour"].items() if float(usd) > 0}
            source = f"{told['source']}, {told['date']}"
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return built_in
        sources = {**built_in.sources, **dict.fromkeys(prices, source)}
        per_hour = {**built_in.per_hour_usd, **prices}
        return cls(per_hour, built_in.serverless_gb_second_usd, built_in.source, sources)

    def source_of(self, instance_type: str) -> str:
        """Where its price was read, and when; "": of serverless."""
        return self.sources.get(instance_type, self.source)

    @classmethod
    def load(cls, path: Path) -> Prices:
        """The prices of a file. Raises SpecError with every problem."""
        text = text_of(path)
        values = _csv(path, text) if path.suffix.lower() == ".csv" else _mapping(path, text)
        findings = Findings(where=f"{path}: ")
        prices = {name: _price(name, value, findings) for name, value in values}
        findings.raise_errors()
        serverless = prices.pop(_SERVERLESS, None)
        return cls({name: usd for name, usd in prices.items() if usd is not None}, serverless, str(path))

    def per_hour(self, instance_type: str) -> float | None:
        """None: the type has no price."""
        return self.per_hour_usd.get(instance_type)


def _csv(path: Path, text: str) -> list[tuple[Any, Any]]:
    reader = csv.DictReader(io.StringIO(text))
    header = reader.fieldnames or ()
    column = next((name for name in _COLUMNS if name in header), None)
    if "instance_type" not in header or column is None:
        advice = "the first line names the columns instance_type,usd_per_hour"
        raise SpecError([Problem(str(path), ",".join(header), "has no such columns", advice)])
    return [(row["instance_type"], row[column]) for row in reader]


def _mapping(path: Path, text: str) -> list[tuple[Any, Any]]:
    return list(yaml_mapping(path, text, "must be a mapping of instance types to USD per hour").items())


def _price(name: object, value: object, findings: Findings) -> float | None:
    """None: an empty cell, the type has no price."""
    if not isinstance(name, str) or not name:
        advice = f"such as ml.c5.xlarge, or {_SERVERLESS}"
        findings.error(("instance_type",), shown(name), "is no name of an instance type", advice)
        return None
    if value is None or value == "":
        return None
    try:
        usd = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        usd = math.nan
    if not math.isfinite(usd) or usd <= 0:
        findings.error((name,), shown(value), "must be a positive number of USD")
        return None
    return usd

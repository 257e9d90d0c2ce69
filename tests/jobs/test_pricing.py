"""Prices from the Pricing API, asked of a real HTTP server in its place, and shown with source and date."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loadtest.cli import main
from loadtest.jobs.instances import Catalogue
from loadtest.jobs.prices import Prices
from loadtest.jobs.pricing import updated_file


def _product(name: str, usd: str, usage: str = "USE1-Host", **attributes: str) -> str:
    """As the price list has it (FormatVersion aws_v1): a JSON text."""
    price = {"unit": "Hrs", "pricePerUnit": {"USD": usd}, "rateCode": "S.T.R", "beginRange": "0", "endRange": "Inf"}
    told = {
        "instanceName": name,
        "instanceType": f"{name}-Hosting",
        "usagetype": f"{usage}:{name}",
        "component": "Hosting",
        "platoinstancetype": "Hosting",
        "regionCode": "us-east-1",
        "servicecode": "AmazonSageMaker",
        **attributes,
    }
    product = {"productFamily": "ML Instance", "sku": "S", "attributes": {k: v for k, v in told.items() if v}}
    term = {"offerTermCode": "T", "priceDimensions": {"S.T.R": price}}
    return json.dumps({"product": product, "serviceCode": "AmazonSageMaker", "terms": {"OnDemand": {"S.T": term}}})


PAGES: dict[str | None, dict[str, Any]] = {
    None: {
        "FormatVersion": "aws_v1",
        "PriceList": [
            _product("ml.c5.xlarge", "0.25"),
            _product("ml.c5.large", "9", "USE1-Train", component="Training", platoinstancetype="Training"),
            # Not what an endpoint costs, although it says so in one of its attributes.
            _product("ml.c5.xlarge", "7", "USE1-AsyncInf"),
        ],
        "NextToken": "2",
    },
    "2": {
        "FormatVersion": "aws_v1",
        "PriceList": [
            _product("ml.new.large", "0.5", "Host"),
            _product("ml.free.large", "0.0"),
            _product("ml.old.large", "0.75", usagetype="", platoinstancetype=""),
        ],
    },
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(PAGES[seen[-1].get("NextToken")]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def _prices(*args: str) -> Any:
    return CliRunner().invoke(main, ["prices", *args], prog_name="loadtest")


def test_they_go_over_the_built_in_ones_with_their_source_and_date(asked: tuple[str, list[dict[str, Any]]]) -> None:
    url, seen = asked
    done = _prices("--update", "--endpoint-url", url, "--json")
    assert done.exit_code == 0, done.output
    assert seen[0]["ServiceCode"] == "AmazonSageMaker"
    assert seen[0]["Filters"] == [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-east-1"}]
    assert len(seen) == 2
    prices = Prices.known(Catalogue.built_in())
    assert prices.per_hour("ml.c5.xlarge") == 0.25
    assert prices.per_hour("ml.new.large") == 0.5
    assert prices.per_hour("ml.old.large") == 0.75
    assert prices.per_hour("ml.free.large") is None
    assert prices.per_hour("ml.c5.large") == Prices.built_in(Catalogue.built_in()).per_hour("ml.c5.large")
    assert "GetProducts" in prices.source_of("ml.c5.xlarge")
    assert "2026-09-27" in prices.source_of("ml.c5.large")


def test_what_cannot_be_reached_changes_nothing(asked: tuple[str, list[dict[str, Any]]]) -> None:
    assert _prices("--update", "--endpoint-url", asked[0]).exit_code == 0
    before = updated_file().read_bytes()
    done = _prices("--update", "--endpoint-url", "http://127.0.0.1:9")
    assert done.exit_code == 2
    assert "the prices are as they were" in done.output
    assert updated_file().read_bytes() == before


def test_a_damaged_file_is_as_if_there_were_none(asked: tuple[str, list[dict[str, Any]]]) -> None:
    updated_file().parent.mkdir(parents=True)
    updated_file().write_text("{")
    assert Prices.known(Catalogue.built_in()) == Prices.built_in(Catalogue.built_in())


def test_shown_without_asking_anybody(asked: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    done = _prices("ml.c5.xlarge", "ml.nothing.large", "--json")
    assert json.loads(done.stdout)["ml.c5.xlarge"]["usd_per_hour"] == 0.204
    assert not asked[1]
    wrong = tmp_path / "p.csv"
    wrong.write_text("instance_type,usd_per_hour\nml.a.large,x\nml.b.large,-1\n")
    done = _prices("--prices", str(wrong))
    assert done.exit_code == 2
    assert "ml.a.large" in done.output
    assert "ml.b.large" in done.output

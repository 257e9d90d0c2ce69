"""The pages under /ui: jobs, a test while it runs, finished reports; who may see them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any

import pytest
from browser import LIMIT_S, Browser, browser
from emulator_client import connect, small_job, wait_for_end

from loadtest.emulator.lanes import lane_of
from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender

pytestmark = pytest.mark.live

WINDOWS = "return Number(document.documentElement.dataset.windows || 0)"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


def _get(server: EmulatorServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_finished_job_is_listed_and_its_report_can_be_read(
    emulator: EmulatorServer, sagemaker: Any, chromium: Browser
) -> None:
    sagemaker.create_inference_recommendations_job(**small_job("ui-done"))
    wait_for_end(sagemaker, "ui-done")
    chromium.open(f"{emulator.url}/ui", ready=False)
    link = chromium.until(lambda: chromium.driver.find_elements("link text", "ui-done"))[0]
    assert chromium.axe() == []
    link.click()
    assert "COMPLETED" in chromium.until(lambda: chromium.js("return document.querySelector('main tbody').innerText"))
    chromium.driver.find_element("link text", "Report of all tests").click()
    chromium.until(lambda: chromium.js("return document.documentElement.dataset.ready") == "1")
    assert chromium.js("return document.querySelector('h1').innerText") == "ui-done"
    page = chromium.js("return document.body.innerText")
    described = sagemaker.describe_inference_recommendations_job(JobName="ui-done")["InferenceRecommendations"]
    assert described, "the page names what Describe names"
    assert all(each["RecommendationId"] in page for each in described)
    assert [m for m in chromium.messages() if "SEVERE" in m or "Refused" in m] == []
    status, text = _get(emulator, "/ui/jobs/ui-done/0/report.html")
    assert status == 200
    assert "ui-done" in text
    assert _get(emulator, "/ui/jobs/ui-done/0/")[0] == 302


def test_what_is_not_there_and_who_may_not(emulator: EmulatorServer) -> None:
    for path in ("/ui/x", "/ui/jobs/none/", "/ui/jobs/none/0/report.html", "/ui/jobs/..%2f/", "/ui/jobs/none/0/events"):
        assert _get(emulator, path)[0] == 404, path
    assert _get(emulator, "/ui/", "POST")[0] == 405
    assert _get(emulator, "/ui/", Host="evil.example")[0] == 403
    assert _get(emulator, "/ui/", Origin="http://evil.example")[0] == 403
    assert lane_of("/ui/", "") == "pages"
    assert lane_of("/uix", "") == "others"


def test_a_test_is_shown_while_it_runs_and_ends_in_its_report(chromium: Browser) -> None:
    config = small_job("ui-live")["InputConfig"]
    config["TrafficPattern"]["Phases"][0] |= {"InitialNumberOfUsers": 1, "DurationInSeconds": 20}
    with recommender(engine="live", profile="relaxed") as server:
        sagemaker = connect(server.url)
        sagemaker.create_inference_recommendations_job(**small_job("ui-live", InputConfig=config))
        chromium.open(f"{server.url}/ui/jobs/ui-live/", ready=False)
        # The page keeps itself up to date: the link appears once the test's load begins.
        chromium.until(lambda: chromium.js("return document.querySelectorAll('main tbody a').length"))
        chromium.driver.get(f"{server.url}/ui/jobs/ui-live/0/")
        chromium.until(lambda: chromium.js(WINDOWS) >= 2)
        assert chromium.js("return document.getElementById('stop')") is None
        chromium.until(lambda: chromium.driver.current_url.endswith("/ui/jobs/ui-live/0/report.html"))
        chromium.until(lambda: chromium.js("return document.documentElement.dataset.ready") == "1")
        assert [m for m in chromium.messages() if "SEVERE" in m or "Refused" in m] == []
        sagemaker.close()


def test_an_open_page_does_not_keep_the_server(chromium: Browser) -> None:
    with recommender(engine="live", profile="relaxed") as server:
        sagemaker = connect(server.url)
        config = small_job("ui-open")["InputConfig"]
        config["TrafficPattern"]["Phases"][0] |= {"InitialNumberOfUsers": 1, "DurationInSeconds": 600}
        sagemaker.create_inference_recommendations_job(**small_job("ui-open", InputConfig=config))
        end = time.monotonic() + LIMIT_S
        while _get(server, "/ui/jobs/ui-open/0/")[0] != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        chromium.driver.get(f"{server.url}/ui/jobs/ui-open/0/")
        chromium.until(lambda: chromium.js(WINDOWS) >= 1)
        sagemaker.close()
    assert chromium.js(WINDOWS) >= 1  # the server is gone, the page is still there

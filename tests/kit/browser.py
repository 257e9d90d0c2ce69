"""Chromium, as a person's browser would show a page: Debian's packages, driven by Selenium, nothing downloaded."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest

__all__ = ["Browser", "browser"]

LIMIT_S = 180
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1280,1000",
)


def _found() -> tuple[str, str]:
    """Paths of browser and driver. Skips where there is none, but never where everything has to run."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        why = "no chromium and chromedriver here: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return chromium, driver


class Browser:
    """driver: Selenium's. Everything that a page says on the console or asks of a network is kept by the browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str, *, ready: bool = True) -> None:
        """Show a page, and wait until its charts are drawn."""
        self.driver.get("about:blank")
        self.messages(), self.requests()
        self.driver.get(url)
        if ready:
            self.until(lambda: self.js("return document.documentElement.dataset.ready") == "1")

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, holds: Callable[[], Any]) -> Any:
        """What `holds` gives once it is true; fails after LIMIT_S."""
        end = time.monotonic() + LIMIT_S
        while not (found := holds()):
            assert time.monotonic() < end, "it did not come to pass"
            time.sleep(0.05)
        return found

    def media(self, **features: str) -> None:
        """scheme: "light" or "dark"; kind: "print" or ""."""
        shown = [{"name": "prefers-color-scheme", "value": features.get("scheme", "light")}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": features.get("kind", ""), "features": shown}
        )

    def messages(self) -> list[str]:
        """What was said on the console since the last look."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses asked for since the last look."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def axe(self) -> list[str]:
        """What axe finds serious or critical."""
        source = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        # Through the debugger: a page whose policy allows no foreign script does not take one from a tag.
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": source})
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations))"
        )
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0].get('failureSummary', '')}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]


@contextmanager
def browser() -> Iterator[Browser]:
    """One that ends with the block."""
    chromium, driver_path = _found()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
    driver.set_script_timeout(LIMIT_S)
    try:
        yield Browser(driver)
    finally:
        driver.quit()

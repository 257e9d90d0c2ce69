"""The emulator's pages for people, under /ui: jobs and their tests, each test while it runs, and the finished reports.

    /ui/                       the jobs and their state
    /ui/jobs/NAME/             a job: its tests         .../report.html          the report of all that have a result
    /ui/jobs/NAME/INDEX/       a test while it runs     .../events, .../sofar, .../report.html

They only show: whoever wants to start or stop something has the API.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from loadtest.core.measure.window import Window
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.jobs.errors import ApiError
from loadtest.jobs.status import Status
from loadtest.serving import PAGE_HEADERS
from loadtest.web.feed import Feed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["JobReader", "Ui"]

_PATH = re.compile(r"/ui/jobs/([A-Za-z0-9-]{1,63})/(?:(\d{1,4})/)?(events|sofar|report\.html)?")
_HTML = "text/html; charset=utf-8"
_MOST = 100  # jobs on the page, the newest

Found = tuple[str, str, str]  # status, content type or address, body


class JobReader(Protocol):
    """What is asked of the jobs."""

    def list_inference_recommendations_jobs(self, params: dict[str, Any]) -> dict[str, Any]: ...

    def describe_inference_recommendations_job(self, params: dict[str, Any]) -> dict[str, Any]: ...

    def list_inference_recommendations_job_steps(self, params: dict[str, Any]) -> dict[str, Any]: ...

    def tests_of(self, job_name: str) -> list[dict[str, Any]]: ...

    def run_result(self, job_name: str, index: int) -> RunResult | None: ...


class Ui:
    """A WSGI application for paths under /ui, and the one that looks on while tests run (`jobs.watching`)."""

    def __init__(self) -> None:
        self._jobs: JobReader | None = None
        self._feeds: dict[tuple[str, int], tuple[Feed, Plan, str]] = {}
        self._lock = threading.Lock()

    def read_from(self, jobs: JobReader) -> None:
        """Where the jobs are; called once, before the first request."""
        self._jobs = jobs

    def begins(self, job_name: str, index: int, label: str, plan: Plan) -> Callable[[Window], None]:
        feed = Feed(plan, {"label": label})
        with self._lock:
            self._feeds[job_name, index] = feed, plan, f"{job_name}: {label}"
        return feed.window

    def kept(self, job_name: str, index: int, name: str, document: Any) -> None:
        """A page has no files."""

    def ended(self, job_name: str, index: int) -> None:
        with self._lock:
            found = self._feeds.pop((job_name, index), None)
        if found is not None:
            report = self._jobs is not None and self._jobs.run_result(job_name, index) is not None
            found[0].done(["the test is over"], report=report)
            found[0].end()

    def close(self) -> None:
        """Every stream ends."""
        with self._lock:
            feeds = [feed for feed, _, _ in self._feeds.values()]
            self._feeds.clear()
        for feed in feeds:
            feed.end()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        matched = _PATH.fullmatch(path)
        if method == "GET" and matched is not None and matched[2] and matched[3] == "events":
            feed = self._feed(matched[1], int(matched[2]))
            if feed is not None:
                start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
                return feed[0].read()
        if method == "GET" and matched is not None and matched[2] and matched[3] == "sofar":
            return _send(start_response, self._so_far(matched[1], int(matched[2]), environ.get("QUERY_STRING", "")))
        if method not in ("GET", "HEAD"):
            return _send(start_response, ("405 Method Not Allowed", "text/plain", "there is nothing to change here\n"))
        return _send(start_response, self._page(path, matched))

    def _so_far(self, job_name: str, index: int, query: str) -> Found:
        feed, known = self._feed(job_name, index), query.removeprefix("windows=")
        if feed is None:
            return _missing()
        found = feed[0].so_far(int(known) if known.isascii() and known.isdigit() else 0)
        return ("204 No Content", "text/plain", "") if found is None else ("200 OK", "application/json", found)

    def _feed(self, job_name: str, index: int) -> tuple[Feed, Plan, str] | None:
        with self._lock:
            return self._feeds.get((job_name, index))

    def _page(self, path: str, matched: re.Match[str] | None) -> Found:
        jobs = self._jobs
        if path == "/ui":
            return "302 Found", "/ui/", ""
        if jobs is not None and path == "/ui/":
            return self._list(jobs)
        try:
            if jobs is None or matched is None:
                return _missing()
            job = jobs.describe_inference_recommendations_job({"JobName": matched[1]})
        except ApiError:
            return _missing()
        if matched[2] is None:
            return self._job(jobs, job) if matched[3] is None else self._report(jobs, job)
        return self._test(jobs, job, int(matched[2]), matched[3])

    def _list(self, jobs: JobReader) -> Found:
        from loadtest.report.html.render import render_jobs

        params = {"MaxResults": _MOST, "SortBy": "CreationTime", "SortOrder": "Descending"}
        listed = jobs.list_inference_recommendations_jobs(params)["InferenceRecommendationsJobs"]
        rows = [
            {
                "name": each["JobName"],
                "href": f"jobs/{each['JobName']}/",
                "kind": each["JobType"],
                "status": each["Status"],
            }
            for each in listed
        ]
        return "200 OK", _HTML, render_jobs("Jobs", rows)

    def _job(self, jobs: JobReader, job: dict[str, Any]) -> Found:
        from loadtest.report.html.render import render_jobs

        name, rows, reports = job["JobName"], [], 0
        for test in jobs.tests_of(name):
            index, live = test["index"], self._feed(name, test["index"]) is not None
            has_result = jobs.run_result(name, index) is not None
            reports += has_result
            href = f"{index}/" if live else f"{index}/report.html" if has_result else ""
            kind = "live" if live else "report" if has_result else ""
            rows.append({"name": test["label"], "href": href, "kind": kind, "status": test["status"]})
        more = [("report.html", "Report of all tests")] if reports else []
        return "200 OK", _HTML, render_jobs(name, rows, job["Status"], job.get("FailureReason", ""), more)

    def _report(self, jobs: JobReader, job: dict[str, Any]) -> Found:
        from loadtest.report.html.page import page_of
        from loadtest.report.html.render import render

        name = job["JobName"]
        found = [jobs.run_result(name, test["index"]) for test in jobs.tests_of(name)]
        results = [result for result in found if result is not None]
        if not results:
            return _missing()
        steps = jobs.list_inference_recommendations_job_steps({"JobName": name, "MaxResults": _MOST})["Steps"]
        # Describe recommends when all has ended; before that, what the tests so far would.
        described = job if Status(job["Status"]).final else None
        return "200 OK", _HTML, render(page_of(results, float(job["CreationTime"]), described, steps))[0]

    def _test(self, jobs: JobReader, job: dict[str, Any], index: int, what: str | None) -> Found:
        from loadtest.report.html.page import page_of
        from loadtest.report.html.render import render, render_live

        name = job["JobName"]
        result, live = jobs.run_result(name, index), self._feed(name, index)
        if what == "report.html" and result is not None:
            return "200 OK", _HTML, render(page_of([result], float(job["CreationTime"])))[0]
        if what is None and live is not None:
            return "200 OK", _HTML, render_live(live[1], live[2], stop=False)[0]
        if what is None:
            return "302 Found", f"/ui/jobs/{name}/" if result is None else f"/ui/jobs/{name}/{index}/report.html", ""
        return _missing()


def _missing() -> Found:
    return "404 Not Found", "text/plain", "there is no such page\n"


def _send(start_response: StartResponse, found: Found) -> list[bytes]:
    status, kind, text = found
    body = text.encode("utf-8")
    where = ("Location", kind) if status.startswith("302") else ("Content-Type", kind)
    start_response(status, [where, ("Content-Length", str(len(body))), *PAGE_HEADERS])
    return [body]

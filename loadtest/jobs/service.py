"""The control plane without HTTP: one method per operation, the API's dicts in and out, refusals as `ApiError`.

Key names and values are the API's; times are epoch seconds as floats. Thread-safe: any thread may call any method.
Shapes (types, enumerations, lengths) are the caller's business where it has AWS's service model; what is checked here
is what the documents say and what this code relies on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from loadtest.core.request.spec import Profile
from loadtest.core.result.result import RunResult
from loadtest.errors import SpecError
from loadtest.jobs.arn import JobArns
from loadtest.jobs.benchmarked import list_model_metadata
from loadtest.jobs.certainty import certainty_of
from loadtest.jobs.check import checked_job
from loadtest.jobs.engines import LiveEngine, LoadEngine, SimEngine
from loadtest.jobs.errors import ApiError, invalid, not_found, refusal
from loadtest.jobs.events import EventSink, NoEvents
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.jobrun import JobContext
from loadtest.jobs.launch import Launcher
from loadtest.jobs.listing import job_query, page_size, step_status
from loadtest.jobs.models import ModelReader, facts_of
from loadtest.jobs.paging import open_token, seal_token
from loadtest.jobs.provision import Provider
from loadtest.jobs.ranking import ranked
from loadtest.jobs.resources import check_resources
from loadtest.jobs.rows import JobRow
from loadtest.jobs.samples import PayloadReader
from loadtest.jobs.scaling import scaling_configuration
from loadtest.jobs.schema import key_of, key_shape
from loadtest.jobs.shapes import described, list_item, step_item
from loadtest.jobs.status import Status
from loadtest.jobs.store import JobStore, NameTaken, QuotaReached
from loadtest.jobs.subject import EndpointDirectory
from loadtest.jobs.tags import checked_keys, checked_tags, tag_list
from loadtest.jobs.watching import NoOnlooker, Onlooker

__all__ = ["ApiError", "EngineName", "JobService", "open_service"]

EngineName = Literal["live", "sim"]
Members = Mapping[str, Any]


class JobService:
    """Inference recommendation jobs. Made by `open_service`; `close` ends what runs and frees what it holds.

    fleet: where tested endpoints come from; also tells how an instance type would behave.
    """

    def __init__(
        self,
        store: JobStore,
        launcher: Launcher,
        fleet: Fleet,
        arns: JobArns,
        profile: Profile,
        quota: int | None,
        model_reader: ModelReader | None,
        strict_resources: bool = False,
    ) -> None:
        self.fleet = fleet
        self.store = store
        self._launcher = launcher
        self._arns = arns
        self._profile: Profile = profile
        self._quota = quota
        self._model_reader = model_reader
        self._strict_resources = strict_resources

    def create_inference_recommendations_job(self, params: Members) -> dict[str, Any]:
        """Keep the job and start it as soon as there is room. ResourceInUse: the name is taken."""
        try:
            spec = checked_job(params, self._profile)
        except SpecError as problem:
            raise refusal(problem) from problem
        facts = facts_of(params, self._model_reader)
        check_resources(spec, facts, self.fleet, self._arns, self._profile, self._strict_resources)
        now_s = self.store.now_s()
        job = JobRow(
            name=spec.name,
            arn=self._arns.of(spec.name),
            request={name: value for name, value in params.items() if name != "Tags"},
            profile=self._profile,
            facts=self.fleet.heeded(facts),
            created_s=now_s,
            modified_s=now_s,
        )
        try:
            self.store.add(job, checked_tags(params.get("Tags", ())), self._quota)
        except NameTaken as problem:
            message = f"Inference recommendations job {spec.name!r} already exists"
            raise ApiError("ResourceInUse", message) from problem
        except QuotaReached as problem:
            message = (
                f"The account-level service limit of {self._quota} concurrent inference recommendations jobs is reached"
            )
            raise ApiError("ResourceLimitExceeded", message) from problem
        self._launcher.submit(spec.name)
        return {"JobArn": job.arn}

    def describe_inference_recommendations_job(self, params: Members) -> dict[str, Any]:
        """The job as it stands."""
        job = self._job(params, "JobName")
        return described(job, self.store.steps(job.name) if job.status.final else ())

    def list_inference_recommendations_jobs(self, params: Members) -> dict[str, Any]:
        """One page of jobs. Jobs that are added between pages neither hide nor repeat one."""
        try:
            query = job_query(params)
        except SpecError as problem:
            raise refusal(problem) from problem
        token = params.get("NextToken")
        after = open_token(params, token, key_shape(query)) if token else None
        size = page_size(params)
        jobs = self.store.jobs(query, after, size + 1)
        answer: dict[str, Any] = {"InferenceRecommendationsJobs": [list_item(job) for job in jobs[:size]]}
        if len(jobs) > size:
            answer["NextToken"] = seal_token(params, key_of(query, jobs[size - 1]))
        return answer

    def list_inference_recommendations_job_steps(self, params: Members) -> dict[str, Any]:
        """One page of a job's tests, in their order; the failed ones of a COMPLETED job are seen here."""
        job = self._job(params, "JobName")
        try:
            status = step_status(params)
        except SpecError as problem:
            raise refusal(problem) from problem
        token = params.get("NextToken")
        after = open_token(params, token, (int,))[0] if token else None
        size = page_size(params)
        steps = self.store.steps(job.name, status, None if after is None else int(after), size + 1)
        answer: dict[str, Any] = {"Steps": [step_item(job.name, step) for step in steps[:size]]}
        if len(steps) > size:
            answer["NextToken"] = seal_token(params, (steps[size - 1].index,))
        return answer

    def stop_inference_recommendations_job(self, params: Members) -> dict[str, Any]:
        """Ask the job to stop; results so far are kept (R8). A job that has ended or is stopping stays as it is."""
        job = self._job(params, "JobName")
        if self.store.move(job.name, Status.STOPPING):
            self._launcher.stop(job.name)
        return {}

    def abort(self, name: str) -> None:
        """Stop a job without waiting for requests in flight; for whoever holds the service, no operation of the API."""
        self.store.move(name, Status.STOPPING)
        self._launcher.stop(name, at_once=True)

    def get_scaling_configuration_recommendation(self, params: Members) -> dict[str, Any]:
        """An autoscaling policy from a finished benchmark's figures."""
        job = self._job(params, "InferenceRecommendationsJobName")
        if not job.status.final:
            raise invalid(f"Inference recommendations job {job.name!r} has not ended, its status is {job.status.value}")
        return scaling_configuration(params, self.store.steps(job.name), self.fleet.catalogue)

    def list_model_metadata(self, params: Members) -> dict[str, Any]:
        """One page of the models that NearestModelName can name."""
        return list_model_metadata(params)

    def add_tags(self, params: Members) -> dict[str, Any]:
        """Add tags or replace their values; answers with all tags of the job."""
        name = self._tagged(params)
        tags = checked_tags(params.get("Tags", ()), present=self.store.tags(name))
        self.store.add_tags(name, tags)
        return {"Tags": tag_list(self.store.tags(name))}

    def list_tags(self, params: Members) -> dict[str, Any]:
        """All tags of the job: there are at most fifty, so there is one page, and no token leads to another."""
        if token := params.get("NextToken"):
            open_token(params, token, ())
        return {"Tags": tag_list(self.store.tags(self._tagged(params)))}

    def delete_tags(self, params: Members) -> dict[str, Any]:
        """Remove tags by their keys."""
        self.store.delete_tags(self._tagged(params), checked_keys(params.get("TagKeys", ())))
        return {}

    def owns(self, arn: str) -> bool:
        """Whether an ARN is one of an inference recommendations job here, existing or not."""
        return self._arns.name(arn) is not None

    def run_result(self, job_name: str, index: int) -> RunResult | None:
        """The whole result of a job's test, by the place of its step: what every report is a function of. None: there
        is no such test, or it has none (yet)."""
        found = self.store.run(job_name, index)
        return None if found is None else RunResult.from_dict(found)

    def certainties(self, job_name: str) -> list[dict[str, Any]]:
        """How sure the figures of each recommendation are (`certainty_of`), in the order of Describe."""
        pairs = [(step, self.run_result(job_name, step.index)) for step in ranked(self.store.steps(job_name))]
        return [certainty_of(step, result) for step, result in pairs if result is not None]

    def tests_of(self, job_name: str) -> list[dict[str, Any]]:
        """index, label and status of each test of a job, in their order; [] if there is none."""
        return [
            {"index": step.index, "label": step.label, "status": step.status.value}
            for step in self.store.steps(job_name)
        ]

    def endpoint_url(self, name: str) -> str | None:
        """Base URL of the live mock endpoint of that name, while its test runs; None: there is none."""
        return self.fleet.url(name)

    def close(self) -> None:
        """End what runs, at once, and give the state directory back. A job that ran is FAILED with a reason that
        says so; one that is pending runs when the service is opened again on the same directory."""
        self._launcher.close()
        self.fleet.close()
        self.store.close()

    def _job(self, params: Members, member: str) -> JobRow:
        name = params.get(member)
        if not isinstance(name, str) or not name:
            raise invalid(f"{member} is required")
        # Names are ASCII; other texts may not even be writable as UTF-8.
        job = self.store.get(name) if name.isascii() else None
        if job is None:
            raise not_found(name)
        return job

    def _tagged(self, params: Members) -> str:
        name = self._arns.name(params.get("ResourceArn", ""))
        if name is None:
            raise invalid(f"ResourceArn {params.get('ResourceArn')!r} is not of an inference recommendations job here")
        if self.store.get(name) is None:
            raise not_found(name)
        return name


def open_service(
    *,
    state: Path | None = None,
    engine: EngineName | LoadEngine = "live",
    profile: Profile = "aws",
    region: str = "us-east-1",
    price_region: str = "us-east-1",
    account: str = "123456789012",
    fleet_file: Path | None = None,
    prices_file: Path | None = None,
    quota: int | None = None,
    payload_reader: PayloadReader | None = None,
    payload: str | None = None,
    model_reader: ModelReader | None = None,
    directory: EndpointDirectory | None = None,
    strict_resources: bool = False,
    events: EventSink | None = None,
    watcher: Onlooker | None = None,
    provider: Provider | None = None,
    named_only: Callable[[Fleet], Provider] | None = None,
) -> JobService:
    """A service that is ready: jobs that a former process left running are FAILED, its pending ones start.

    state: directory of the store; None: in memory. engine: "live" sends real traffic, "sim" runs in virtual time; or
        anything else that can run a plan.
    region, account: in ARNs. price_region: whose list prices hold, where prices_file gives none.
    fleet_file, prices_file: replace the built-in ones. quota: active jobs allowed at once; None: any number.
    payload_reader: see `PayloadReader`; None: a built-in body is sent. payload: a file of bodies in place of the
        job's; None: there is none. model_reader: what is known of a model. directory: the endpoints that exist; None:
        only those of the fleet file.
        strict_resources: models, packages and sample payloads that do not exist are refused, or fail
        the job, in virtual time too.
    watcher: who looks on while tests run; None: nobody. provider: of the tested endpoints; None: the fleet.
    named_only: makes the provider of the fleet.
    Raises SpecError for a wrong file, EngineError if the directory cannot be used.
    """
    if isinstance(engine, str):
        engine = SimEngine() if engine == "sim" else LiveEngine()
    fleet = Fleet.load(fleet_file, prices_file, live=not engine.virtual, directory=directory, region=price_region)
    store = JobStore(state)
    context = JobContext(
        store=store,
        fleet=fleet,
        engine=engine,
        events=events or NoEvents(),
        payload_reader=payload_reader,
        reads_payloads=strict_resources or not engine.virtual,
        watcher=NoOnlooker() if watcher is None else watcher,
        provider=named_only(fleet) if named_only is not None else provider,
        payload=payload,
    )
    launcher = Launcher(context)
    arns = JobArns(region, account)
    service = JobService(store, launcher, fleet, arns, profile, quota, model_reader, strict_resources)
    launcher.recover()
    return service

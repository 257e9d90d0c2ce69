from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from loadtest.errors import EngineError
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.rows import JobQuery, JobRow, SortKey, StepRow
from loadtest.jobs.schema import key_of
from loadtest.jobs.status import TRANSITIONS, Status
from loadtest.jobs.store import JobStore, NameTaken, QuotaReached

FACTS = ModelFacts(domain="COMPUTER_VISION", content_types=("image/jpeg",), instance_types=("ml.c5.xlarge",))
PATHS: dict[Status, tuple[Status, ...]] = {
    Status.PENDING: (),
    Status.IN_PROGRESS: (Status.IN_PROGRESS,),
    Status.COMPLETED: (Status.IN_PROGRESS, Status.COMPLETED),
    Status.FAILED: (Status.IN_PROGRESS, Status.FAILED),
    Status.STOPPING: (Status.STOPPING,),
    Status.STOPPED: (Status.STOPPING, Status.STOPPED),
}


def row(name: str, created_s: float = 1000.0, model: str = "model-a") -> JobRow:
    request = {"JobName": name, "JobType": "Advanced", "InputConfig": {"ModelName": model}, "Ünïcode": "✓"}
    return JobRow(name, f"arn:{name}", request, "aws", FACTS, created_s, created_s)


def step(index: int, status: Status = Status.PENDING) -> StepRow:
    return StepRow(index, f"test {index}", f"sm-epc-{index}", f"job/{index:08}", status=status)


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    made = JobStore(None if request.param == "memory" else tmp_path / "state")
    yield made
    made.close()


def test_a_job_comes_back_as_it_was_kept(store: JobStore) -> None:
    added = store.add(row("a", 1234.5678), [("k", "v")])
    assert added == replace(row("a", 1234.568), seq=1, modified_s=1234.568)
    assert store.get("a") == added
    assert store.tags("a") == [("k", "v")]
    assert store.get("b") is None


def test_ten_threads_with_one_name_have_one_winner(store: JobStore) -> None:
    start = threading.Barrier(10)
    won: list[bool] = []

    def add() -> None:
        start.wait()
        try:
            store.add(row("same"))
            won.append(True)
        except NameTaken:
            won.append(False)

    threads = [threading.Thread(target=add) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 9 + [True]
    assert len(store.jobs(JobQuery(), None, -1)) == 1


def test_threads_never_exceed_the_quota(store: JobStore) -> None:
    start = threading.Barrier(10)
    refused: list[str] = []

    def add(name: str) -> None:
        start.wait()
        try:
            store.add(row(name), quota=3)
        except QuotaReached:
            refused.append(name)

    threads = [threading.Thread(target=add, args=(f"j{i}",)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.active() == 3
    assert len(refused) == 7
    store.move(store.in_status(Status.PENDING)[0].name, Status.STOPPING)
    with pytest.raises(QuotaReached):
        store.add(row("still-full"), quota=3)


@pytest.mark.parametrize("start", list(PATHS))
@pytest.mark.parametrize("to", list(PATHS))
def test_a_job_moves_only_as_the_table_says(store: JobStore, start: Status, to: Status) -> None:
    store.add(row("a"))
    for between in PATHS[start]:
        assert store.move("a", between)
    before = store.get("a")
    assert store.move("a", to, failure_reason="x" * 2000) == (to in TRANSITIONS[start])
    after = store.get("a")
    assert before is not None
    assert after is not None
    if to not in TRANSITIONS[start]:
        assert after == before
    else:
        assert after.status is to
        assert (after.completed_s is not None) == to.final
        assert after.failure_reason == "x" * 1024  # the API's limit


def test_unknown_jobs_do_not_move(store: JobStore) -> None:
    assert not store.move("nobody", Status.IN_PROGRESS)


def test_completion_times_can_be_virtual() -> None:
    store = JobStore(clock=lambda: 50.0)
    store.add(row("a"))
    store.move("a", Status.IN_PROGRESS)
    store.move("a", Status.COMPLETED, completed_s=9000.25)
    job = store.get("a")
    assert job is not None
    assert (job.completed_s, job.modified_s) == (9000.25, 9000.25)
    store.close()


def test_no_time_of_a_job_goes_back() -> None:
    now = [5000.0]
    store = JobStore(clock=lambda: now[0])
    store.add(row("a", created_s=5000.0))
    store.move("a", Status.IN_PROGRESS)
    store.put_steps("a", [StepRow(0, "l", "e", "r", started_s=5100.0)], 5100.0)
    now[0] = 40.0
    for act in (
        lambda: store.put_steps("a", [StepRow(0, "l", "e", "r", started_s=5100.0)]),
        lambda: store.move("a", Status.STOPPING),
        lambda: store.move("a", Status.STOPPED, completed_s=60.0),
    ):
        act()
        job = store.get("a")
        assert job is not None
        assert job.modified_s == 5100.0
    assert job.completed_s == 5100.0
    store.close()


def test_steps_are_replaced_by_index_and_listed_in_order(store: JobStore) -> None:
    store.add(row("a"))
    store.put_steps("a", [step(2), step(0), step(1)])
    done = replace(step(1), status=Status.COMPLETED, metrics={"MaxInvocations": 5}, started_s=1.5, ended_s=2.25)
    store.put_steps("a", [done])
    assert store.steps("a") == [step(0), done, step(2)]
    assert store.steps("a", Status.PENDING) == [step(0), step(2)]
    assert store.steps("a", after=0, limit=1) == [done]
    assert store.steps("nobody") == []


def test_tags_keep_their_order_and_take_new_values(store: JobStore) -> None:
    store.add(row("a"), [("one", "1"), ("two", "2")])
    store.add_tags("a", [("one", "new"), ("three", "3")])
    assert store.tags("a") == [("one", "new"), ("two", "2"), ("three", "3")]
    store.delete_tags("a", ["two", "absent"])
    assert store.tags("a") == [("one", "new"), ("three", "3")]


FILTERS = [
    (JobQuery(created_after_s=1001), {"b", "c"}),
    (JobQuery(created_before_s=1002), {"a", "ab"}),
    (JobQuery(created_after_s=1000, created_before_s=1003), {"ab", "b"}),
    (JobQuery(modified_after_s=1002), {"c"}),
    (JobQuery(modified_before_s=1001), {"a"}),
    (JobQuery(name_contains="b"), {"ab", "b"}),
    (JobQuery(name_contains="%"), set()),
    (JobQuery(name_contains=""), {"a", "ab", "b", "c"}),
    (JobQuery(status=Status.PENDING), {"a", "ab", "b", "c"}),
    (JobQuery(status=Status.COMPLETED), set()),
    (JobQuery(model_name="other"), {"c"}),
    (JobQuery(model_package_arn="arn"), set()),
]


@pytest.mark.parametrize(("query", "names"), FILTERS, ids=range(len(FILTERS)))
def test_filters(store: JobStore, query: JobQuery, names: set[str]) -> None:
    for i, name in enumerate(["a", "ab", "b", "c"]):
        store.add(row(name, 1000.0 + i, "other" if name == "c" else "model-a"))
    assert {job.name for job in store.jobs(query, None, -1)} == names


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status"])
@pytest.mark.parametrize("descending", [True, False])
def test_pages_show_every_job_once_while_others_are_added(store: JobStore, sort_by: SortKey, descending: bool) -> None:
    # Few distinct times and statuses: most keys are equal, so the tie breaker has to work.
    for i in range(23):
        name = f"n{(i * 7) % 23:02}"
        store.add(row(name, 1000.0 + i % 3))
        if i % 2:
            store.move(name, Status.IN_PROGRESS)
    query = JobQuery(sort_by=sort_by, descending=descending)
    whole = [job.name for job in store.jobs(query, None, -1)]
    newcomers = iter(range(30))
    seen: list[str] = []
    key: tuple[str | int, int] | None = None
    while page := store.jobs(query, key, 4):
        seen.extend(job.name for job in page)
        key = key_of(query, page[-1])
        for i in islice(newcomers, 3):
            name = f"{'amz'[i % 3]}-new-{i}"
            store.add(row(name, 1000.0 + i % 4))
            if i % 2:
                store.move(name, Status.IN_PROGRESS)
    assert [name for name in seen if "new" not in name] == whole
    assert len(seen) == len(set(seen))
    assert len(seen) > len(whole), "newcomers that sort behind the page are seen"


def test_a_directory_belongs_to_one_store_at_a_time(tmp_path: Path) -> None:
    first = JobStore(tmp_path)
    with pytest.raises(EngineError, match="another server"):
        JobStore(tmp_path)
    first.add(row("a"))
    first.close()
    second = JobStore(tmp_path)
    assert second.get("a") is not None
    second.close()


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(EngineError, match="cannot use the state directory"):
        JobStore(path)


WRITER = """
import sys
from pathlib import Path
from tests_rows import row, step
from loadtest.jobs.status import Status
from loadtest.jobs.store import JobStore
store = JobStore(Path(sys.argv[1]))
for i in range(100000):
    name = f"job-{i}"
    store.add(row(name), [("i", str(i))])
    if i % 3:
        store.move(name, Status.IN_PROGRESS)
        store.put_steps(name, [step(0)])
    print(i, flush=True)
"""


def test_what_was_kept_survives_kill_9(tmp_path: Path) -> None:
    """A real process that holds the directory is killed in the middle of its writing."""
    (tmp_path / "tests_rows.py").write_text(Path(__file__).read_text().split("@pytest.fixture")[0])
    (tmp_path / "writer.py").write_text(WRITER)
    state = tmp_path / "state"
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "writer.py"), str(state)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
    )
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            if int(line) >= 50:
                break
        with pytest.raises(EngineError):
            JobStore(state)
        os.kill(process.pid, signal.SIGKILL)
        told = int(line)
        for line in lines:
            told = int(line) if line.endswith(b"\n") else told
    assert process.wait() == -signal.SIGKILL
    store = JobStore(state)
    for i in range(told + 1):
        job = store.get(f"job-{i}")
        assert job is not None
        assert job.status is (Status.IN_PROGRESS if i % 3 else Status.PENDING)
        assert len(store.steps(job.name)) == bool(i % 3)
        assert store.tags(job.name) == [("i", str(i))]
    store.close()

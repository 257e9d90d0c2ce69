"""Job files: what a scenario may say, and files that nobody should have to trust."""

import json

import pytest
from places import JOBS

from loadtest.core.request.spec import RunOptions
from loadtest.errors import SpecError
from loadtest.jobfile.document import EMPTY, MAX_BYTES, MAX_DEPTH, MAX_VALUES
from loadtest.jobfile.jobfile import ScenarioOptions, load_job, read_job_file

PUBLISHED = json.loads(next(JOBS.rglob("06-*.json")).read_text())

REQUEST = json.loads((JOBS / "13-advanced-devguide-two-phases.json").read_text())

YAML = """\
# As of the AWS CLI's --cli-input-yaml
JobName: job
JobType: Default
RoleArn: arn:aws:iam::123456789012:role/Role
InputConfig:
  ModelName: m
  ContainerConfig:
    Domain: MACHINE_LEARNING
    FrameworkVersion: "1.13"
    SupportedInstanceTypes: [ml.c5.large]
Loadtest:
  target: mock:servers=4
  options: {window_s: 1, seed: 7}
"""


@pytest.fixture
def write(tmp_path):
    """Writes a job file of text, bytes or JSON values and gives its path."""

    def make(content, name="job.json"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return make


def problems(path):
    with pytest.raises(SpecError) as caught:
        read_job_file(path)
    return [(each.path, each.rule) for each in caught.value.problems]


def test_a_plain_request(write):
    path = write(REQUEST)
    job = read_job_file(path)
    assert (job.path, job.request, job.loadtest) == (path, REQUEST, ScenarioOptions())
    assert job.text == path.read_text()


def test_a_whole_scenario(write):
    options = {
        "spawn": "per-minute",
        "stairs_duration": "per-step",
        "latency_clock": "client",
        "window_s": 0.5,
        "drain_s": 0,
        "rate_window_s": 5,
        "max_error_ratio": 0.01,
        "seed": 9,
    }
    loadtest = {
        "target": "sagemaker:e",
        "target_options": {"region": "eu-west-1", "read_timeout_s": 2.5, "stream": True},
        "payload": {"path": "data/samples.tar.gz", "content_type": "text/csv"},
        "options": options,
        "gate": True,
    }
    path = write({**REQUEST, "Loadtest": loadtest})
    job = read_job_file(str(path))
    assert job.request == REQUEST
    assert job.loadtest == ScenarioOptions(
        target="sagemaker:e",
        target_options=loadtest["target_options"],
        payload_path=str(path.parent / "data/samples.tar.gz"),
        content_type="text/csv",
        options=RunOptions(**options),
        gate=True,
    )
    assert isinstance(job.loadtest.options.drain_s, float)


def test_an_absolute_payload_path_stays(write, tmp_path):
    path = write({"Loadtest": {"payload": {"path": str(tmp_path / "samples.tar.gz")}}})
    assert read_job_file(path).loadtest.payload_path == str(tmp_path / "samples.tar.gz")


@pytest.mark.parametrize(
    "target", ["os:system", "subprocess:Popen", "mine.targets:T", "myentrypoint:x", "Mock:servers=2:x"]
)
def test_a_file_names_no_code(write, target):
    """`{"Loadtest": {"target": "os:system", "target_options": {"command": ...}}}` ran the command."""
    file = {"Loadtest": {"target": target, "target_options": {"command": "touch /tmp/x"}}}
    if target.startswith("Mock"):
        read_job_file(write(file))  # a built-in target, in whatever case
        return
    with pytest.raises(
        SpecError, match=r"Loadtest.target: a plug-in is code, which a job file cannot choose .*--target"
    ):
        read_job_file(write(file))


def test_the_caller_may_allow_a_plug_in(write):
    path = write({**PUBLISHED, "Loadtest": {"target": "mine.targets:T"}})
    assert load_job(path, plugins=["mine.targets:T"])[0].loadtest.target == "mine.targets:T"
    with pytest.raises(SpecError, match="a plug-in is code"):
        load_job(path, plugins=["mine.targets:Other"])


@pytest.mark.parametrize("place", ["/etc/passwd", "../outside", "link", "folder-with-a-link", "/proc/self/environ"])
def test_a_file_reads_nothing_outside_its_folder(write, tmp_path, place):
    home = tmp_path / "home"
    (home / "folder-with-a-link").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    (home / "link").symlink_to(tmp_path / "outside")
    (home / "folder-with-a-link" / "a").symlink_to(tmp_path / "outside")
    job = home / "job.json"
    job.write_text(json.dumps({"Loadtest": {"payload": {"path": place}}}))
    with pytest.raises(SpecError, match=r"Loadtest.payload.path: lies outside the job file's folder .*--payload-root"):
        read_job_file(job)


def test_the_caller_may_allow_another_folder(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "body").write_text("x")
    job = tmp_path / "home" / "job.json"
    job.write_text(json.dumps({**PUBLISHED, "Loadtest": {"payload": {"path": "../data/body"}}}))
    file, _ = load_job(job, payload_root=str(tmp_path / "data"))
    assert file.loadtest.payload_path.endswith("data/body")


SAMPLES = "mock:law=empirical,samples="


@pytest.mark.parametrize(
    ("loadtest", "path", "rule"),
    [
        ({"target": SAMPLES + "/etc/passwd"}, "Loadtest.target", "lies outside"),
        ({"target": SAMPLES + "../secret"}, "Loadtest.target", "lies outside"),
        ({"target": "Mock:law=empirical,samples=link"}, "Loadtest.target", "lies outside"),
        ({"target_options": {"ca_file": "/etc/passwd"}}, "Loadtest.target_options.ca_file", "lies outside"),
        ({"target_options": {"profile": "production"}}, "Loadtest.target_options.profile", "whose credentials"),
        (
            {"target_options": {"endpoint_url": "https://elsewhere.example"}},
            "Loadtest.target_options.endpoint_url",
            "where requests go",
        ),
        ({"target_options": {"endpoint_url": "http://["}}, "Loadtest.target_options.endpoint_url", "where requests go"),
    ],
)
def test_a_file_chooses_nothing_of_its_reader_s(write, tmp_path, loadtest, path, rule):
    (tmp_path / "link").symlink_to("/etc/passwd")
    ((where, found),) = problems(write({**REQUEST, "Loadtest": loadtest}))
    assert where == path
    assert found.startswith(rule)


def test_what_the_caller_gives_itself_is_not_the_file_s_choice(write):
    options = {"ca_file": "/etc/passwd", "profile": "p", "endpoint_url": "https://elsewhere.example"}
    loadtest = {"target": SAMPLES + "/etc/passwd", "target_options": options, "payload": {"path": "/etc/passwd"}}
    load_job(write({**REQUEST, "Loadtest": loadtest}), own=["target", "payload", *options])


def test_files_of_the_folder_are_named_from_there(write, tmp_path):
    loadtest = {
        "target": SAMPLES + "in ms.txt",
        "target_options": {"ca_file": "ca.pem", "endpoint_url": "http://127.0.0.1:1"},
    }
    job = read_job_file(write({**REQUEST, "Loadtest": loadtest}))
    assert f"samples={tmp_path / 'in ms.txt'}" in job.loadtest.target
    assert job.loadtest.target_options["ca_file"] == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("name", ["job.yaml", "job.yml", "job.YAML", "job.txt", "job"])
def test_yaml(write, name):
    job, spec = load_job(write(YAML, name))
    assert spec.name == "job"
    assert job.request["InputConfig"]["ContainerConfig"]["FrameworkVersion"] == "1.13"
    assert job.loadtest.options == RunOptions(seed=7)
    assert job.text == YAML


def test_json_by_its_first_character_and_with_a_byte_order_mark(write):
    assert read_job_file(write(REQUEST, "job.txt")).request == REQUEST
    assert read_job_file(write(b"\xef\xbb\xbf" + json.dumps(REQUEST).encode())).request == REQUEST


def test_yaml_anchors_are_fine_while_they_are_few(write):
    job = read_job_file(write("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n", "job.yaml"))
    assert job.request == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)

UNREADABLE = [
    ("job.json", "", EMPTY),
    ("job.json", "\n \n", EMPTY),
    ("job.json", '{"a": }', "is not JSON: Expecting value at line 1, column 7"),
    ("job.json", b'{"a": "\xff"}', "the file cannot be read: it is not UTF-8 text: byte 7 is 0xff"),
    ("job.json", "[]", "must be an object"),
    ("job.json", "null", "must be an object"),
    ("job.json", " " * (MAX_BYTES + 1), f"the file cannot be read: it is larger than {MAX_BYTES} bytes"),
    ("job.json", '{"a":' + "[" * 100 + "]" * 100 + "}", f"is nested deeper than {MAX_DEPTH} levels"),
    ("job.json", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", f"is nested deeper than {MAX_DEPTH} levels"),
    ("job.json", json.dumps({"a": [0] * (MAX_VALUES + 1)}), f"holds more than {MAX_VALUES} values"),
    ("job.yaml", "", EMPTY),
    ("job.yaml", "# nothing\n---\n  # but words\n", EMPTY),
    ("job.yaml", "- a\n", "must be an object"),
    ("job.yaml", "a: [1,\n", None),
    ("job.yaml", "a: b: c\n", None),
    ("job.yaml", "a: 1\n---\nb: 2\n", None),
    ("job.yaml", "a: \x00\n", None),
    ("job.yaml", "a: !!python/object/apply:os.system [true]\n", None),
    ("job.yaml", "a: !!int ''\n", None),
    ("job.yaml", "a: 2026-13-45\n", None),
    ("job.yaml", "? [a]\n: 1\n", None),
    ("job.yaml", "a: " + "[" * 1000 + "]" * 1000, f"is nested deeper than {MAX_DEPTH} levels"),
    ("job.yaml", "a: &x [*x]\n", f"is nested deeper than {MAX_DEPTH} levels"),
    ("job.yaml", BOMB, f"holds more than {MAX_VALUES} values"),
]


@pytest.mark.parametrize(("name", "content", "rule"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_read_is_one_problem(write, name, content, rule):
    ((path, found),) = problems(write(content, name))
    assert path == ""
    assert found == rule if rule else found.startswith("is not YAML: ")
    assert "\n" not in found


def test_an_integer_of_too_many_digits(write):
    ((_, rule),) = problems(write('{"a": ' + "9" * 5000 + "}"))
    assert rule.startswith("is not JSON that can be read")


@pytest.mark.parametrize("name", ["nothing.json", "", "a\x00b"])
def test_a_file_that_is_not_there(tmp_path, name):
    ((_, rule),) = problems(tmp_path / name)
    assert rule.startswith("the file cannot be read")


def test_members_given_twice(write):
    twice = '{"JobName": "a", "InputConfig": {"x": 1, "x": 2, "x": 3}, "JobName": "b"}'
    assert problems(write(twice)) == [("JobName", "is given twice"), ("InputConfig.x", "is given twice")]
    assert problems(write("a: 1\nb: {c: 1, c: 2}\na: 2\n", "job.yaml")) == [
        ("a", "is given twice, again at line 3"),
        ("c", "is given twice, again at line 2"),
    ]


def test_values_of_yaml_s_own_types(write):
    found = problems(write("a: 2026-01-02\nb: !!binary aGk=\nc: !!set {x}\n1: d\nd: 2026-01-02 03:04:05\n", "job.yaml"))
    assert found == [
        ("a", "is not a value of JSON"),
        ("b", "is not a value of JSON"),
        ("c", "is not a value of JSON"),
        ("'1'", "the name of a member must be a string"),
        ("d", "is not a value of JSON"),
    ]


SCENARIO_FAULTS = [
    ([], "Loadtest", "must be an object"),
    (None, "Loadtest", "must be an object"),
    ({"targets": "mock"}, "Loadtest.targets", "is not a valid member"),
    ({"target": 5}, "Loadtest.target", "must be a non-empty string without control characters"),
    ({"target": ""}, "Loadtest.target", "must be a non-empty string without control characters"),
    ({"target": "mock\n"}, "Loadtest.target", "must be a non-empty string without control characters"),
    ({"target_options": []}, "Loadtest.target_options", "must be an object"),
    ({"target_options": {"a": [1]}}, "Loadtest.target_options.a", "must be a string, a number, true or false"),
    (
        {"target_options": {"aws_secret_access_key": "x"}},
        "Loadtest.target_options.aws_secret_access_key",
        "credentials do not belong in a file",
    ),
    ({"payload": "x"}, "Loadtest.payload", "must be an object"),
    ({"payload": {"file": "x"}}, "Loadtest.payload.file", "is not a valid member"),
    ({"payload": {"path": 1}}, "Loadtest.payload.path", "must be a non-empty string without control characters"),
    (
        {"payload": {"content_type": "a\r\nb: c"}},
        "Loadtest.payload.content_type",
        "must be a non-empty string without control characters",
    ),
    ({"options": 1}, "Loadtest.options", "must be an object"),
    ({"options": {"windows": 1}}, "Loadtest.options.windows", "is not a valid member"),
    ({"options": {"spawn": "fast"}}, "Loadtest.options.spawn", "is not a valid value"),
    ({"options": {"spawn": []}}, "Loadtest.options.spawn", "is not a valid value"),
    ({"options": {"window_s": 0}}, "Loadtest.options.window_s", "must be in 0.05..60"),
    ({"options": {"window_s": "1s"}}, "Loadtest.options.window_s", "must be a number"),
    ({"options": {"window_s": True}}, "Loadtest.options.window_s", "must be a number"),
    ({"options": {"window_s": None}}, "Loadtest.options.window_s", "must be a number"),
    ({"options": {"window_s": float("nan")}}, "Loadtest.options.window_s", "must be a finite number"),
    ({"options": {"window_s": float("inf")}}, "Loadtest.options.window_s", "must be in 0.05..60"),
    ({"options": {"window_s": 10**400}}, "Loadtest.options.window_s", "must be in 0.05..60"),
    ({"options": {"max_error_ratio": 1.5}}, "Loadtest.options.max_error_ratio", "must be in 0..1"),
    ({"options": {"seed": 1.0}}, "Loadtest.options.seed", "must be a whole number"),
    ({"options": {"seed": -1}}, "Loadtest.options.seed", "must be in 0..9223372036854775807"),
    ({"gate": "yes"}, "Loadtest.gate", "must be true or false"),
]


@pytest.mark.parametrize(("loadtest", "path", "rule"), SCENARIO_FAULTS, ids=range(len(SCENARIO_FAULTS)))
def test_faults_of_a_scenario(write, loadtest, path, rule):
    assert problems(write({**REQUEST, "Loadtest": loadtest})) == [(path, rule)]


def test_advice_names_the_nearest_member_and_value(write):
    with pytest.raises(SpecError) as caught:
        read_job_file(write({"Loadtest": {"targt": "mock", "options": {"Seed": 1, "spawn": "smoth"}}}))
    assert {each.path: each.advice for each in caught.value.problems} == {
        "Loadtest.targt": "did you mean target?",
        "Loadtest.options.Seed": "did you mean seed?",
        "Loadtest.options.spawn": "did you mean smooth?",
    }


def test_a_credential_is_not_repeated_in_the_message(write):
    with pytest.raises(SpecError) as caught:
        read_job_file(write({"Loadtest": {"target_options": {"password": "hunter2"}}}))
    assert "hunter2" not in str(caught.value)


def test_load_job_reports_the_request_and_the_scenario_at_once(write):
    request = {**REQUEST, "JobType": "ADVANCED", "Loadtest": {"gate": 1}}
    with pytest.raises(SpecError) as caught:
        load_job(write(request))
    assert [each.path for each in caught.value.problems] == ["JobType", "Loadtest.gate"]


def test_load_job_takes_the_profile(write):
    request = json.loads(json.dumps(REQUEST))
    request["InputConfig"]["TrafficPattern"]["Phases"][0]["SpawnRate"] = 60
    path = write(request)
    with pytest.raises(SpecError):
        load_job(path, "aws")
    _, spec = load_job(path, "relaxed")
    assert "must be at most 3" in [each.rule for each in spec.warnings]

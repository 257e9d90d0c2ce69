"""`loadtest preview`: the curve, the tests and the readings of a job, as text and as JSON."""

import json

import pytest


def preview(invoke, *args):
    result = invoke("preview", "--json", *args)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_stairs_as_json(invoke, jobs):
    found = preview(invoke, jobs / "14-advanced-devguide-stairs.json")
    assert found == {
        "steps": [[0.0, 2], [120.0, 4]],
        "peak_users": 4,
        "end_s": 240.0,
        "tests": ["ml.c5.xlarge", "ml.m5.xlarge", "ml.r5.xlarge"],
        "tests_not_run": [],
        "effective": {
            "profile": "relaxed",
            "job_type": "Advanced",
            "job_duration_s": 7200,
            "spawn": "smooth",
            "stairs_duration": "total",
            "latency_clock": "auto",
            "window_s": 1.0,
            "drain_s": 60.0,
            "rate_window_s": 60.0,
            "max_error_ratio": None,
            "seed": 1,
            "log_requests": 0.0,
        },
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("name", "flags", "steps", "end_s", "effective"),
    [
        ("14-advanced-devguide-stairs", ["--stairs-duration", "per-step"], [[0, 2], [240, 4]], 480, "per-step"),
        ("14-advanced-devguide-stairs", ["--stairs-duration", "total"], [[0, 2], [120, 4]], 240, "total"),
        ("13-advanced-devguide-two-phases", ["--spawn", "smooth"], [[0, 1], [60, 2], [120, 1], [180, 2]], 240, "total"),
    ],
)
def test_readings_can_be_chosen(invoke, jobs, name, flags, steps, end_s, effective):
    found = preview(invoke, jobs / f"{name}.json", *flags)
    assert (found["steps"], found["end_s"], found["effective"]["stairs_duration"]) == (steps, end_s, effective)


def test_spawn_per_minute(invoke, jobs):
    path = jobs / "10-advanced-triton-tensorrt.json"
    smooth, minutely = preview(invoke, path), preview(invoke, path, "--spawn", "per-minute")
    assert smooth["steps"][:3] == [[0, 2], [20, 3], [40, 4]]
    assert minutely["steps"][:3] == [[0, 2], [60, 5], [120, 8]]
    assert minutely["effective"]["spawn"] == "per-minute"


def test_the_file_s_options_hold_unless_a_flag_says_otherwise(invoke, edit_job):
    path = edit_job("14", lambda job: job.update(Loadtest={"options": {"stairs_duration": "per-step", "seed": 5}}))
    found = preview(invoke, path)
    assert (found["end_s"], found["effective"]["seed"]) == (480, 5)
    assert preview(invoke, path, "--stairs-duration", "total")["end_s"] == 240


def test_a_default_job_has_no_curve_and_says_so(invoke, jobs):
    path = jobs / "01-default-hf-bert-package.json"
    found = preview(invoke, path)
    assert (found["steps"], found["peak_users"], found["end_s"], found["tests"]) == ([], None, None, [])
    text = invoke("preview", path).stdout
    assert "no traffic pattern of its own, so there is no curve to show" in text
    assert "#" not in text


def test_the_text(invoke, jobs):
    lines = invoke("preview", jobs / "14-advanced-devguide-stairs.json").stdout.splitlines()
    assert lines[0] == "devguide-stairs: Advanced job"
    assert f"    4 |{' ' * 30}{'#' * 30}" in lines
    assert f"    2 |{'#' * 30}" in lines
    assert "peak    4 users" in lines
    assert "length  240 s (4 min)" in lines
    assert lines[lines.index("tests   3") + 1 :][:3] == ["  1. ml.c5.xlarge", "  2. ml.m5.xlarge", "  3. ml.r5.xlarge"]
    assert "    per-step would give: peak 4 users, 480 s (8 min), first change at 240 s to 4 users" in lines
    assert "  flat invocations: Stop" in lines


def test_readings_that_agree_are_not_compared(invoke, jobs):
    assert "would give" not in invoke("preview", jobs / "13-advanced-devguide-two-phases.json").stdout
    text = invoke("preview", jobs / "10-advanced-triton-tensorrt.json").stdout
    assert "    per-minute would give: peak 44 users, 900 s (15 min), first change at 60 s to 5 users\n" in text
    assert "peak    46 users\n" in text


def test_tests_over_the_limit_are_named(invoke, edit_job):
    def limit(job):
        job["InputConfig"]["ResourceLimit"]["MaxNumberOfTests"] = 2

    path = edit_job("06", limit)
    found = preview(invoke, path)
    assert found["tests"] == ["ml.c5.xlarge OMP_NUM_THREADS=1", "ml.c5.xlarge OMP_NUM_THREADS=2"]
    assert found["tests_not_run"] == ["ml.c5.xlarge OMP_NUM_THREADS=4"]
    text = invoke("preview", path).stdout
    assert "not run 1, over MaxNumberOfTests, 2\n  - ml.c5.xlarge OMP_NUM_THREADS=4\n" in text


def test_no_control_character_of_the_file_reaches_the_terminal(invoke, edit_job):
    def escape(job):
        ranges = job["InputConfig"]["EndpointConfigurations"][0]["EnvironmentParameterRanges"]
        ranges["CategoricalParameterRanges"][0]["Value"] = ["\x1b[31m", "a\nb"]

    text = invoke("preview", edit_job("06", escape)).stdout
    assert "\x1b" not in text
    assert "OMP_NUM_THREADS=\\x1b[31m" in text
    assert "OMP_NUM_THREADS=a\\nb" in text


def test_warnings_are_shown(invoke, jobs):
    (path,) = (jobs / "invalid").glob("i08*")
    warning = "InputConfig.TrafficPattern.Phases[0].SpawnRate: must be at most 3 (got 60); 0..3"
    assert f"\nwarnings\n  {warning}\n" in invoke("preview", path).stdout
    assert preview(invoke, path)["warnings"][0] == warning
    refused = invoke("preview", "--profile", "aws", path)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert warning in refused.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"JobName": 5}', "\x00", "{}"])
def test_a_bad_file_is_a_message(invoke, tmp_path, content):
    path = tmp_path / "job.json"
    path.write_text(content)
    result = invoke("preview", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_the_largest_traffic_is_previewed(invoke, edit_job):
    def enlarge(job):
        job["InputConfig"]["TrafficPattern"]["Stairs"] = {
            "DurationInSeconds": 2**31 - 1,
            "NumberOfSteps": 100_000,
            "UsersPerStep": 1,
        }

    found = preview(invoke, edit_job("14", enlarge))
    assert (found["peak_users"], len(found["steps"]), found["end_s"]) == (100_000, 100_000, 2**31 - 1)


@pytest.mark.live
def test_a_real_process(execute, jobs):
    result = execute("preview", jobs / "06-advanced-intro-tensorflow.json", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["steps"] == [[0, 1], [60, 2]]
    missing = execute("preview", jobs / "none.json")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "the file cannot be read: No such file or directory" in missing.stderr

"""`loadtest validate`: exit code 0 or 2; problems on stderr, one a line, each with its file."""

import pytest


def valid_files(jobs):
    return [path for path in sorted(jobs.glob("*.json")) if path.name != "observed-results.json"]


def test_all_real_jobs_are_valid(invoke, jobs):
    files = valid_files(jobs)
    result = invoke("validate", *files)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"{path}: valid (aws)" for path in files]


@pytest.mark.parametrize(
    ("name", "count"),
    [("i01", 2), ("i02", 2), ("i04", 3), ("i05", 7), ("i07", 4), ("i08", 3)],
)
def test_every_invalid_job_is_refused_line_by_line(invoke, jobs, name, count):
    (path,) = (jobs / "invalid").glob(f"{name}*")
    result = invoke("validate", path)
    lines = result.stderr.splitlines()
    assert (result.exit_code, result.stdout, len(lines)) == (2, "", count)
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_one_bad_file_among_good_ones(invoke, jobs):
    good = valid_files(jobs)[0]
    bad = next((jobs / "invalid").glob("i02*"))
    result = invoke("validate", good, bad, good)
    assert result.exit_code == 2
    assert result.stdout.count("valid (aws)") == 2
    assert f"{bad}: JobType: is not a valid value (got 'ADVANCED'); did you mean Advanced?\n" in result.stderr


def test_relaxed_warns_where_aws_refuses(invoke, jobs):
    (path,) = (jobs / "invalid").glob("i08*")
    result = invoke("validate", "--profile", "relaxed", path)
    assert result.exit_code == 0
    assert result.stdout == f"{path}: valid (relaxed)\n"
    assert all(line.startswith(f"{path}: warning: InputConfig.") for line in result.stderr.splitlines())
    assert len(result.stderr.splitlines()) == 2


def test_what_only_aws_refuses_is_told(invoke, jobs):
    bounds, wrong = (next((jobs / "invalid").glob(f"{name}*")) for name in ("i08", "i05"))
    told = "`loadtest run` takes it all the same, and warns (--profile relaxed)"
    assert invoke("validate", bounds).stderr.splitlines()[-1] == f"{bounds}: {told}"
    assert told not in invoke("validate", wrong).stderr


def test_an_empty_file_is_called_empty(invoke, tmp_path):
    for name in ("job.json", "job.yaml"):
        (tmp_path / name).write_text(" \n")
        assert "empty" in invoke("validate", tmp_path / name).stderr, name


def test_unreadable_files_are_problems_too(invoke, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    result = invoke("validate", tmp_path / "none.json", broken, tmp_path)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(tmp_path / "none.json"), str(broken), str(tmp_path)]
    assert "No such file or directory" in lines[0]


@pytest.mark.parametrize("args", [[], ["--profile", "strict", "x.json"], ["--nonsense"]])
def test_wrong_usage(invoke, args):
    result = invoke("validate", *args)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


def test_a_real_process(execute, jobs):
    good, bad = valid_files(jobs)[0], next((jobs / "invalid").glob("i01*"))
    result = execute("validate", good, bad)
    assert result.returncode == 2
    assert result.stdout == f"{good}: valid (aws)\n"
    assert result.stderr.splitlines() == [
        f"{bad}: InputConfig.TrafficPattern.Stairs.UsersPerStep: must be at most 3 (got 16); 1..3",
        f"{bad}: InputConfig.TokenizerConfig: is not a valid member (got an object of 2 members); "
        "did you mean ContainerConfig?",
    ]
    assert execute("validate", good).returncode == 0


def test_a_file_that_names_code_or_another_folder_is_refused_by_every_verb(edit_job, execute, tmp_path):
    marker = tmp_path / "marker"

    def harm(request):
        request["Loadtest"] = {
            "target": "os:system",
            "target_options": {"command": f"touch {marker}"},
            "payload": {"path": "/etc/passwd"},
        }

    path = edit_job("06", harm)
    for verb in (["validate", "--profile", "relaxed"], ["run"], ["preview"]):
        done = execute(verb[0], path, *verb[1:])
        assert done.returncode == 2, verb
        assert "Loadtest.target: a plug-in is code" in done.stderr
        assert "Loadtest.payload.path: lies outside" in done.stderr
    # Named by the command line, it is not called either: it is no target.
    done = execute("run", path, "--target", "os:system", "--payload-root", "/etc")
    assert done.returncode == 2, done.stderr
    assert "os:system: is no target, so it was not called" in done.stderr
    assert not marker.exists()

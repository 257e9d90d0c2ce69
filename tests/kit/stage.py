"""Where the commands of a page of the docs are run: a folder with what the page takes for granted, and servers where the
page says that some listen. Nothing of it leads off this machine.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from blocks import Block
from emulator_client import connect, create_endpoint, create_model
from places import ROOT
from requests_made import stairs_request

from loadtest.endpoint.latency import MockSettings
from loadtest.mock.process import MockProcess
from loadtest.testing import recommender

__all__ = ["Stage"]

PORTS = ("8080", "8081", "4599", "9464", "5557", "8089")  # that pages name; others may hold them here
FOLDERS = (
    "a1",
    "a2",
    "a3",
    "b1",
    "b2",
    "b3",
    "baseline",
    "candidate",
    "one",
    "other",
    "A",
    "B",
    "C",
    "DIR",
    "runs/my-job",
)
AWS = re.compile(r"--endpoint-name|sagemaker:|--deploy|loadtest cleanup")
ENDPOINTS = ("my-endpoint", "my-llm")
LIMIT_S = 240
PATIENCE_S = 20


class Stage:
    """A context manager. run: a block, after which what it started goes on until the end."""

    def __init__(self, folder: Path, blocks: list[Block]) -> None:
        self.folder = folder
        self._text = "\n".join(block.text for block in blocks)
        self._stack = ExitStack()
        self._started: list[subprocess.Popen[bytes]] = []
        self._ports = {port: str(_free_port()) for port in PORTS}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOADTEST_"))}
        self._env = {
            **kept,
            **{"PATH": path, "NO_COLOR": "1", "LOADTEST_TOKEN": secrets.token_hex(16)},
            **{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"},
            **{"XDG_STATE_HOME": str(folder / ".state"), "AWS_DEFAULT_REGION": "eu-west-1"},
        }

    def __enter__(self) -> Stage:
        job = stairs_request("my-job", users=1, steps=2, seconds=2)
        job["StoppingConditions"]["ModelLatencyThresholds"] = [{"Percentile": "P95", "ValueInMilliseconds": 500}]
        job["Loadtest"] = {"target": "mock:servers=4,service_ms=2", "options": {"window_s": 0.5}}
        (self.folder / "job.json").write_text(json.dumps(job))
        shutil.copytree(ROOT / "scenarios", self.folder / "scenarios")
        (self.folder / "docs").mkdir()
        shutil.copy(ROOT / "docs/emulator-job.json", self.folder / "docs")
        for port in ("8080", "8081"):
            if f"127.0.0.1:{port}" in self._text and f"--port {port}" not in self._text:
                mock = self._stack.enter_context(MockProcess(MockSettings(service_ms=5)))
                self._ports[port] = mock.url.rpartition(":")[2]
        if AWS.search(self._text):
            self._account()
        self._folders()
        return self

    def __exit__(self, *_: Any) -> None:
        for each in self._started:
            _end(each, signal.SIGTERM)
        self._stack.close()

    def run(self, block: Block) -> None:
        """AssertionError with all that was printed, if its exit code is none that it may have or it prints nothing."""
        if block.mark.verb == "file":
            (self.folder / block.mark.name).write_text(self._placed(block.text))
            return
        text = block.text
        for old, new in block.mark.changes:
            assert old in text, f"{block}: {old}"
            text = text.replace(old, new)
        shell = ["bash", "-euo", "pipefail", "-c"] if block.kind == "sh" else [sys.executable, "-W", "error", "-c"]
        out = self.folder / f".out-{block.line}"
        with out.open("w") as file:  # no pipe, which what is left running would hold open
            done = subprocess.Popen(
                [*shell, self._placed(text)],
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._started.append(done)
        code = _ended(done, out, block.mark.until)
        printed = out.read_text()
        assert code in block.mark.exits, f"{block}: exit code {code}\n{text}\n{printed}"
        assert printed.strip() or block.mark.silent, f"{block}: it printed nothing\n{text}"
        assert "Traceback" not in printed, printed

    def _placed(self, text: str) -> str:
        for port, free in self._ports.items():
            text = re.sub(rf"(?:127\.0\.0\.1|10\.0\.0\.5):{port}\b", f"127.0.0.1:{free}", text)
            text = re.sub(rf"(-port |--prometheus ){port}\b", rf"\g<1>{free}", text)
        return text.replace("10.0.0.5", "127.0.0.1")

    def _account(self) -> None:
        """moto, behind an emulator, with the endpoints that pages name."""
        server = self._stack.enter_context(recommender(engine="sim"))
        self._env["AWS_ENDPOINT_URL"] = server.url
        client = connect(server.url)
        create_model(client, "m")  # of job.json
        for name in ENDPOINTS:
            create_endpoint(client, name)
        client.close()

    def _folders(self) -> None:
        """Run folders of the names that the page has: copies of one short run."""
        made = re.findall(r"--output-dir (\S+)", self._text)
        found = [name for name in FOLDERS if re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w-])", self._text)]
        wanted = [name for name in found if name not in made]
        if not wanted:
            return
        command = [sys.executable, "-m", "loadtest", "run", "job.json", "--quiet", "--output-dir", ".run"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=LIMIT_S, env=self._env)
        for name in wanted:
            shutil.copytree(self.folder / ".run", self.folder / name)


def _ended(done: subprocess.Popen[bytes], out: Path, until: str) -> int:
    """Its exit code; 0 once it has printed `until`, and was interrupted."""
    deadline_s = time.monotonic() + LIMIT_S
    while done.poll() is None and time.monotonic() < deadline_s:
        if until and until in out.read_text():
            _end(done, signal.SIGINT)
            return 0
        time.sleep(0.05)
    if done.poll() is None:
        _end(done, signal.SIGINT)
        raise AssertionError(f"it did not end\n{out.read_text()}")
    return done.returncode


def _end(session: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """What is left of a session: asked first, since a run has things to put away."""
    for sent in (number, signal.SIGTERM, signal.SIGKILL):
        deadline_s = time.monotonic() + PATIENCE_S
        try:
            os.killpg(session.pid, sent)
            while time.monotonic() < deadline_s:
                session.poll()  # so that it is no zombie, which its group would seem to have in it
                os.killpg(session.pid, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

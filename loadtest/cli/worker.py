"""`loadtest worker`: lend this machine to a run that waits for workers elsewhere."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from types import FrameType

import click

from loadtest.cli.worker_flags import token_env, token_flag
from loadtest.engine.cluster.choice import WorkerChoice
from loadtest.engine.messages import failure_text
from loadtest.engine.parent.process import GeneratorProcess
from loadtest.errors import EngineError, Problem, SpecError, words
from loadtest.signals import heeded

__all__ = ["command"]


@click.command(name="worker")
@click.option("--master-host", required=True, help="Where `loadtest run --listen` waits.")
@click.option("--master-port", required=True, type=click.IntRange(1, 65535), help="The port it listens on.")
@click.option("--allow-plugin", "plugins", multiple=True, help="A plug-in target that the run may use here.")
@click.option(
    "--payload-root",
    type=click.Path(exists=True, file_okay=False),
    help="The run may send files below this folder.  [default: none, only the built-in body]",
)
@click.option("--allow-profile", "profiles", multiple=True, help="A profile of this machine's that may sign for it.")
@click.option(
    "--allow-endpoint-url",
    "endpoint_urls",
    multiple=True,
    help="Where signed requests may go besides AWS's own addresses and loopback.",
)
@click.option(
    "--allow-payload-url",
    "payload_urls",
    multiple=True,
    help="s3://BUCKET/PREFIX or https://HOST/PATH that payloads may be fetched from, with this machine's credentials.",
)
@token_flag
def command(
    master_host: str, master_port: int, payload_root: str | None, token_file: Path | None, **allowed: tuple[str, ...]
) -> None:
    """Join the run at --master-host and --master-port as one of its load generators, until it is over.

    It waits up to ten minutes for the run, as the run waits for it.

    The plan comes from the master; credentials, payload files and plug-ins are this machine's own, and what of them
    the run may use is said here. Both sides show that they know the same secret before a plan is sent, and seal what
    they say by it. Nothing is encrypted: use it in a network whose listeners you trust.
    """
    try:
        socket.getaddrinfo(master_host, master_port)
    except (OSError, UnicodeError) as problem:
        raise SpecError([Problem("--master-host", master_host, f"cannot be resolved: {words(problem)}")]) from None
    env = token_env(token_file, master_host, "--master-host")
    choice = WorkerChoice(payload_root=payload_root or "", **allowed)
    worker = GeneratorProcess("worker", master_host, str(master_port), env={**env, **choice.environment()})
    asked = 0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            worker.send("stop")
        else:
            worker.kill()

    for number in heeded("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(number, end)
    click.echo(f"waiting for a run at {master_host}:{master_port}", err=True)
    why = ""
    for message in worker.messages():
        if message is not None and message["kind"] == "failed":
            why = failure_text(message)
    code = worker.close()
    if asked:
        raise SystemExit(130)
    if why or code:
        raise EngineError(why or "\n".join(worker.log) or f"the worker ended with code {code}")

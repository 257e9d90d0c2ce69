"""`loadtest serve`: the emulator, one address for boto3, the AWS CLI and the SageMaker SDK."""

from __future__ import annotations

import logging
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from loadtest.core.request.spec import Profile
from loadtest.errors import Problem, SpecError
from loadtest.loopback import is_loopback
from loadtest.signals import heeded
from loadtest.wire.access import mistakes

if TYPE_CHECKING:
    from loadtest.emulator.server import EmulatorServer

__all__ = ["command"]

_REGION = re.compile(r"[a-z0-9-]{9,16}")  # as in the API's own pattern of ModelPackageVersionArn
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*")

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=4599, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--engine",
    type=click.Choice(["live", "sim"]),
    default="live",
    show_default=True,
    help="live: real traffic to mock endpoints. sim: virtual time, a job takes about a second.",
)
@click.option(
    "--profile",
    type=click.Choice(["aws", "relaxed"]),
    default="aws",
    show_default=True,
    help="aws: every documented bound holds. relaxed: bounds that only protect AWS's capacity do not.",
)
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Directory of the jobs [in memory].")
@click.option(
    "--upstream", metavar="URL", help="Who answers what is not emulated [moto in this process, if installed]."
)
@click.option("--fleet", "fleet_file", type=_FILE, help="How instance types behave (YAML) [built in].")
@click.option("--prices", "prices_file", type=_FILE, help="Instance prices (CSV) [built in, us-east-1].")
@click.option("--quota", type=click.IntRange(min=1), help="Jobs that may be active at once [any number].")
@click.option("--region", default="us-east-1", show_default=True, help="Region in the jobs' ARNs.")
@click.option("--account", default="123456789012", show_default=True, help="Account in the jobs' ARNs.")
@click.option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web pages that may use this server, such as http://localhost:3000; repeatable [none].",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Another name that this server goes by, with the names below it; repeatable [loopback and --host].",
)
@click.option(
    "--strict-resources",
    is_flag=True,
    help="Refuse models and packages that do not exist; sample payloads must be there with --engine sim too.",
)
@click.option(
    "--allow-local-payloads",
    is_flag=True,
    help="Take SamplePayloadUrls of this machine: their objects are read from S3 as all others.",
)
def command(
    host: str,
    port: int,
    engine: Literal["live", "sim"],
    profile: Profile,
    state: Path | None,
    upstream: str | None,
    fleet_file: Path | None,
    prices_file: Path | None,
    quota: int | None,
    region: str,
    account: str,
    allow_origins: tuple[str, ...],
    allow_hosts: tuple[str, ...],
    strict_resources: bool,
    allow_local_payloads: bool,
) -> None:
    """Answer AWS's clients here: recommendation jobs are emulated and run, moto answers the rest of AWS.

    Prints the variables that lead the clients to it. Ctrl-C or SIGTERM stops it in order.
    """
    if problems := [*_mistakes(upstream, account, region), *mistakes(allow_origins, allow_hosts)]:
        raise SpecError(problems)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    from loadtest.emulator.extra import emulator_server

    emulator = emulator_server()
    options = emulator.EmulatorOptions(
        host=host,
        port=port,
        engine=engine,
        profile=profile,
        state=state,
        upstream=upstream,
        fleet_file=fleet_file,
        prices_file=prices_file,
        quota=quota,
        region=region,
        account=account,
        allow_origins=allow_origins,
        allow_hosts=allow_hosts,
        strict_resources=strict_resources,
        allow_local_payloads=allow_local_payloads,
    )
    if not is_loopback(host):
        click.secho(
            f"Warning: {host} can be reached from other machines. There is no authentication here: anybody who reaches "
            "it can start traffic from this machine.",
            fg="yellow",
            err=True,
        )
    _serve(emulator.EmulatorServer(options))


def _serve(server: EmulatorServer) -> None:
    for number in heeded("SIGTERM", "SIGINT", "SIGHUP"):
        signal.signal(number, _end)
    try:
        for name, value in server.exports().items():
            click.echo(f"export {name}={value}")
        click.echo(
            f"# engine {server.options.engine}; what is not emulated is answered by {server.fallback.name}", err=True
        )
        # What a library prints (moto does) is no line of the file that a shell reads.
        with redirect_stdout(sys.stderr):
            server.run()
    except SystemExit:
        pass
    finally:
        # A second signal must not interrupt the clean-up, which has time limits of its own.
        for number in heeded("SIGTERM", "SIGINT", "SIGHUP"):
            signal.signal(number, signal.SIG_IGN)
        server.close()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _mistakes(upstream: str | None, account: str, region: str) -> Iterator[Problem]:
    if upstream is not None and not _URL.fullmatch(upstream):
        yield Problem("--upstream", upstream, "must be a URL (http://HOST:PORT)")
    if not (len(account) == 12 and account.isascii() and account.isdigit()):
        yield Problem("--account", account, "must have twelve digits")
    if not _REGION.fullmatch(region):
        yield Problem("--region", region, "must be 9 to 16 small letters, digits and hyphens, as in ARNs: eu-west-1")

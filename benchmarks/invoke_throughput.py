"""How many invocations a second does one core send, signed and recorded, against what people use?

Ours is the path of `loadtest run` (child process, SigV4, recorder, windows, stop rules on); wrk, hey, h2load and
FastHttpUser send the same body unsigned; boto3 in a Locust user is signed. `loadtest, new bodies` is the same path with
a body of its own for each request; else a signature is made once a second for each payload, because X-Amz-Date counts
seconds. Every client has the one core, the server the other. The rounds are interleaved. cpu_us is the client's CPU
time per request: on a machine with other work its ratio says more than the rates' ratio. The same over TLS, with nginx
as the server.

    python -m benchmarks.invoke_throughput [--quick] [--rounds N] [--users N ...]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from benchmarks.machine import arguments, cores, emit, pinned, ratio, skip, summary, tool_version
from benchmarks.ours import Ours, invoke
from benchmarks.peers import PEERS, Peer, PeerFailed
from benchmarks.server import NoServer, Server, fast_server, nginx

QUESTION = "invoke_throughput"
TARGETS = {"boto3 in Locust": 50.0, "FastHttpUser": 8.0, "hey": 1.6, "wrk": 0.45}
TLS_TARGETS = {"wrk": 0.6}
OURS, FRESH = "loadtest", "loadtest, new bodies"
Client = Callable[[Server, int, float], "Peer | Ours"]


def measure(
    server: Server, clients: dict[str, Client], users: int, seconds: float, rounds: int, targets: dict[str, float]
) -> None:
    """All clients in turn, `rounds` times, then a line for each."""
    rates: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[float]] = defaultdict(list)
    shares: dict[str, list[float]] = defaultdict(list)
    failed: dict[str, int] = defaultdict(int)
    for _ in range(rounds):
        for name, client in clients.items():
            try:
                with pinned(cores()[1]):
                    found = client(server, users, seconds)
            except PeerFailed as problem:
                skip(QUESTION, name, str(problem))
                continue
            rates[name].append(found.per_s)
            costs[name].append(found.cpu_us)
            shares[name].append(found.per_s * found.cpu_us / 1e6)
            failed[name] += found.failed
    for name in rates:
        line: dict[str, Any] = {"server": server.name, "client": name, "users": users, "seconds": seconds}
        line |= {"per_s": summary(rates[name], 0), "cpu_us": summary(costs[name], 2), "failed": failed[name]}
        line |= {"core_share": summary(shares[name], 2)}
        if name not in (OURS, FRESH):
            line["loadtest_over_it"] = ratio(rates[OURS], rates[name])
            line["fresh_over_it"] = ratio(rates[FRESH], rates[name])
            line["its_cpu_over_loadtest"] = ratio(costs[name], costs[OURS])
            if users == 50 and name in targets:
                line["target"] = targets[name]
        emit(QUESTION, **line)


def _fresh(server: Server, users: int, seconds: float) -> Ours:
    return invoke(server, users, seconds, ref="benchmarks.targets:FreshTarget")


def main() -> None:
    chosen = arguments(__doc__)
    rounds, seconds = chosen.rounds or (1 if chosen.quick else 3), 1.0 if chosen.quick else 3.0
    clients: dict[str, Client] = {OURS: invoke, FRESH: _fresh}
    for name, (client, program) in PEERS.items():
        if program is None or tool_version(program):
            clients[name] = client
        else:
            skip(QUESTION, name, f"{program} is not installed (benchmarks/install_peers.sh)")
    for users in chosen.users or ((50,) if chosen.quick else (1, 10, 50, 200)):
        with fast_server() as server:
            measure(server, clients, users, seconds, rounds, TARGETS)
    try:
        for users in chosen.users or ((50,) if chosen.quick else (1, 10, 50, 200)):
            with nginx(tls=True) as server:
                measure(server, clients, users, seconds, rounds, TLS_TARGETS)
    except NoServer as problem:
        skip(QUESTION, "TLS", str(problem))


if __name__ == "__main__":
    main()

"""How a model behaves on a machine: a small performance model that turns work and hardware into mock settings. Pure.

It is a model with round numbers, not a measurement of AWS (see `fleet.yaml`). With t threads per worker, on v vCPUs:

    work       = cpu_ms x (1 + thread_overhead (t - 1)) / speed               CPU time of one invocation
    service    = front_ms + work x ((1 - p) + p / t')         t' = min(t, v)  wall time; p = parallel_share (Amdahl)
    servers    = min(workers, floor(v / t'))                                  invocations that really have cores
    CPU used   = rate x work                                                  per cent of one core, as CloudWatch

On an accelerator the service is front_ms + accelerator_ms / speed, with `streams` invocations at once on each, which
is a GPU that is fully used; every worker's copy of the model lies in its memory. A
serverless endpoint has MaxConcurrency machines of memory / mb_per_vcpu vCPUs with one worker each and no queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.endpoint.settings import MockSettings
from loadtest.errors import LoadtestError

__all__ = ["Behaviour", "DoesNotFit", "EnvironmentNames", "Machine", "ModelWork", "behaviour_of"]


class DoesNotFit(LoadtestError):
    """The model does not fit on the machine: an endpoint of it would not come into service."""


@dataclass(frozen=True, slots=True)
class ModelWork:
    """What one invocation costs; the members are those of `model` in `fleet.yaml`."""

    cpu_ms: float
    parallel_share: float
    thread_overhead: float
    accelerator_ms: float | None
    front_ms: float
    sigma: float
    memory_mb: float
    base_memory_mb: float
    disk_mb: float
    volume_gb: float


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it runs. vcpu may be a fraction for serverless; speed, accelerator_speed: 1 is the reference.

    concurrency: MaxConcurrency of a serverless endpoint, whose machines these are; None: one instance.
    queue: requests that may wait. cold_start_ms: until a serverless machine is ready.
    gpus, gpu_memory_mb: how many of the accelerators are GPUs, memory of each; 0: there are none, or it is not known.
    """

    name: str
    vcpu: float
    speed: float
    memory_mb: float
    accelerators: int = 0
    accelerator_speed: float = 1.0
    streams: int = 1
    concurrency: int | None = None
    queue: int = 1000
    cold_start_ms: float = 0.0
    gpus: int = 0
    gpu_memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class EnvironmentNames:
    """Which variables set threads per worker and workers; the first one that is set counts."""

    threads: tuple[str, ...]
    workers: tuple[str, ...]

    @property
    def heeded(self) -> frozenset[str]:
        """Every variable that means something here."""
        return frozenset((*self.threads, *self.workers))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an endpoint does.

    servers, service_ms (median), sigma, queue, cold_start_ms: as in MockSettings.
    work_s: CPU seconds of one invocation. vcpu: of the machine.
    memory_percent: of its memory in use. serverless: CPU is not reported then, the set-up time is.
    disk_percent: of its volume in use; None: not reported (serverless).
    gpus: of the machine. gpu_work_s: how long an invocation keeps one of them busy; 0: it uses none.
    gpu_memory_percent: in use, 100 is one GPU; None: it has none, or how much it has is not known.
    """

    servers: int
    service_ms: float
    sigma: float
    queue: int
    cold_start_ms: float
    work_s: float
    vcpu: float
    memory_percent: float
    serverless: bool
    disk_percent: float | None = None
    gpus: int = 0
    gpu_work_s: float = 0.0
    gpu_memory_percent: float | None = None

    def settings(self, name: str, seed: int, instances: int = 1, variant: str = "") -> MockSettings:
        """The mock endpoint that behaves so, as `instances` machines behind one name and production variant."""
        return MockSettings(
            servers=self.servers * instances,
            service_ms=round(self.service_ms, 3),
            law="lognormal" if self.sigma else "fixed",
            sigma=self.sigma,
            queue=self.queue * instances,
            cold_start_ms=self.cold_start_ms,
            seed=seed,
            name=name,
            variant=variant,
        )

    def cpu_percent(self, rate_per_min: float) -> float | None:
        """CPU use at a rate per instance, 100 is one core; None: not reported (serverless)."""
        if self.serverless:
            return None
        return min(100 * self.vcpu, 100 * self.work_s * rate_per_min / 60)

    def gpu_percent(self, rate_per_min: float) -> float | None:
        """GPU use at a rate per instance, 100 is one GPU; None: the machine has none."""
        if not self.gpus:
            return None
        return min(100.0 * self.gpus, 100 * self.gpu_work_s * rate_per_min / 60)

    @property
    def setup_time_us(self) -> int | None:
        """ModelSetupTime; None: only serverless endpoints have one."""
        return round(self.cold_start_ms * 1000) if self.serverless else None


def behaviour_of(
    work: ModelWork, machine: Machine, environment: Mapping[str, str], names: EnvironmentNames
) -> Behaviour:
    """How the model behaves on the machine with these environment variables. Raises DoesNotFit."""
    threads = _number(environment, names.threads) or 1
    asked_workers = _number(environment, names.workers)
    on_accelerator = machine.accelerators > 0 and work.accelerator_ms is not None
    if on_accelerator:
        at_once = machine.accelerators * machine.streams
    else:
        at_once = max(1, int(machine.vcpu / min(threads, machine.vcpu)))
    if machine.concurrency is not None:
        workers = asked_workers or 1
    else:
        workers = asked_workers or min(at_once, max(1, _fitting(work, machine)))
    memory_mb = work.base_memory_mb + workers * work.memory_mb
    if memory_mb > machine.memory_mb:
        raise DoesNotFit(
            f"{machine.name} has {machine.memory_mb:.0f} MB of memory, "
            f"{workers} x {work.memory_mb:.0f} MB of model and {work.base_memory_mb:.0f} MB besides do not fit"
        )
    if on_accelerator:
        work_ms, service_ms = work.front_ms, work.front_ms + (work.accelerator_ms or 0.0) / machine.accelerator_speed
    else:
        work_ms, service_ms = _on_cpu(work, machine, threads)
    return Behaviour(
        servers=machine.concurrency or min(workers, at_once),
        service_ms=service_ms,
        sigma=work.sigma,
        queue=0 if machine.concurrency is not None else machine.queue,
        cold_start_ms=machine.cold_start_ms,
        work_s=work_ms / 1000,
        vcpu=machine.vcpu,
        memory_percent=100 * memory_mb / machine.memory_mb,
        serverless=machine.concurrency is not None,
        disk_percent=_disk_percent(work, machine),
        gpus=machine.gpus,
        gpu_work_s=(work.accelerator_ms or 0.0) / machine.accelerator_speed / machine.streams / 1000,
        gpu_memory_percent=_gpu_memory_percent(machine, workers * work.memory_mb if on_accelerator else 0.0),
    )


def _disk_percent(work: ModelWork, machine: Machine) -> float | None:
    if machine.concurrency is not None or not work.volume_gb:
        return None
    return min(100.0, 100 * work.disk_mb / (work.volume_gb * 1024))


def _gpu_memory_percent(machine: Machine, used_mb: float) -> float | None:
    if not machine.gpus or not machine.gpu_memory_mb:
        return None
    return min(100.0 * machine.gpus, 100 * used_mb / machine.gpu_memory_mb)


def _on_cpu(work: ModelWork, machine: Machine, threads: int) -> tuple[float, float]:
    """(CPU time, wall time) of an invocation in ms."""
    work_ms = work.cpu_ms * (1 + work.thread_overhead * (threads - 1)) / machine.speed
    if machine.vcpu < 1:
        return work_ms, work.front_ms + work_ms / machine.vcpu
    share = work.parallel_share
    return work_ms, work.front_ms + work_ms * ((1 - share) + share / min(threads, machine.vcpu))


def _fitting(work: ModelWork, machine: Machine) -> int:
    """How many workers the memory has room for."""
    return int((machine.memory_mb - work.base_memory_mb) // work.memory_mb) if work.memory_mb else 1_000_000


def _number(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    """The first variable that is set to a positive number; other texts mean nothing to a model server either."""
    for name in names:
        text = environment.get(name, "").strip()
        if text.isascii() and text.isdigit() and int(text[:6]) > 0:
            return int(text[:6])
    return None

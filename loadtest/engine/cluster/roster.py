"""The workers of a distributed run as the master sees them: who is there, what each has sent, who is lost.

Pure bookkeeping: no sockets, no clock (time is an argument).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from loadtest.core.measure.window import Window, merge_windows
from loadtest.core.measure.worker import Worker
from loadtest.core.traffic.plan import Plan
from loadtest.engine.cluster.account import Account

__all__ = ["Member", "Roster"]


@dataclass(slots=True)
class Member:
    """One worker. index: its part of the first split. digest: of the plan as it understood it; "": not told yet.

    offset_s: its clock minus the master's, from the exchange with the shortest round trip round_trip_s.
    newest: index of its newest window, -1 before the first.
    payload: digest of the bodies that it read. replaced_s: run time from which others do a lost one's work.
    why: it was sent home; "": it fell silent, or is here.
    account: what it has told. asked: epoch seconds of the questions for its clock that it has not answered.
    """

    client_id: str
    index: int
    account: Account
    digest: str = ""
    payload: str = ""
    offset_s: float = 0.0
    round_trip_s: float = float("inf")
    newest: int = -1
    drained: bool = False
    lost: bool = False
    replaced_s: float = float("inf")
    why: str = ""
    windows: dict[int, Window] = field(default_factory=dict)
    asked: set[float] = field(default_factory=set)

    def heard_clock(self, asked_s: float, there_s: float, heard_s: float) -> None:
        """One exchange, as in NTP: asked at `asked_s`, answered at `there_s` of its clock, heard at `heard_s`.

        Raises ValueError if nobody asked then, or if it has answered.
        """
        if asked_s not in self.asked:
            raise ValueError("it answers a question that nobody asked")
        self.asked.discard(asked_s)
        round_trip_s = heard_s - asked_s
        if round_trip_s < self.round_trip_s:
            self.round_trip_s = round_trip_s
            self.offset_s = there_s - (asked_s + heard_s) / 2

    def worker(self) -> Worker:
        """As the result tells of it."""
        within_s = 0.0 if self.round_trip_s == float("inf") else round(self.round_trip_s / 2, 6)
        return Worker(self.index, self.host, round(self.offset_s, 6), within_s, self.lost, self.why)

    @property
    def host(self) -> str:
        """Its machine's name: Locust names a worker by that and a random number."""
        return self.client_id.rpartition("_")[0]


class Roster:
    """Members by their id, in the order they joined. plan: that they run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._members: dict[str, Member] = {}
        self._closed = 0

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, client_id: str) -> Member:
        return self._members[client_id]

    def join(self, client_id: str) -> Member:
        """A worker connected; joining again gives the same member."""
        return self._members.setdefault(client_id, Member(client_id, len(self._members), Account(self._plan)))

    def leave(self, client_id: str) -> None:
        """It left before the run began: another one takes its place, and the numbers close up."""
        del self._members[client_id]
        for index, member in enumerate(self):
            member.index = index

    def knows(self, client_id: str) -> bool:
        return client_id in self._members

    @property
    def living(self) -> list[Member]:
        return [member for member in self if not member.lost]

    @property
    def lost(self) -> int:
        return sum(member.lost for member in self)

    @property
    def drained(self) -> bool:
        """No living worker has a user left."""
        return all(member.drained for member in self.living)

    def workers(self) -> list[Worker]:
        """The members as the result tells of them."""
        return [member.worker() for member in self]

    def receive(self, client_id: str, window: Window) -> None:
        """A worker's part of a window."""
        member = self._members[client_id]
        member.windows[window.index] = window
        member.newest = max(member.newest, window.index)

    def complete(self) -> Iterator[Window]:
        """The merged windows that every living worker has got past, oldest first, each once.

        A worker that was late may have skipped an index: its part then lies in its next window. A window that lacks a
        part which nobody replaced holds less than what was going on, and belongs to no level.
        """
        living = self.living
        if not living:
            return
        # A drained worker sends nothing more: nobody waits for it.
        waiting = [member.newest for member in living if not member.drained]
        newest = min(waiting) if waiting else max(member.newest for member in self)
        yield from self._close(newest)

    def rest(self) -> Iterator[Window]:
        """Whatever is left when the run is over."""
        yield from self._close(max((member.newest for member in self), default=-1))

    def _close(self, newest: int) -> Iterator[Window]:
        while self._closed <= newest:
            parts = {member.index: member.windows.pop(self._closed, None) for member in self}
            self._closed += 1
            found = [part for part in parts.values() if part is not None]
            if found:
                merged = merge_windows(found)
                absent = [member for member in self if parts[member.index] is None]
                whole = all(member.drained or member.replaced_s <= merged.start_s for member in absent)
                level = merged.level if whole else None
                health = replace(merged.health, lost_workers=self.lost)
                yield replace(merged, span=replace(merged.span, level=level), health=health)

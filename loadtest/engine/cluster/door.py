"""The door of a run: strangers show who they are and become its workers, while there is room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loadtest.engine.cluster.admission import WRONG_TOKEN, Admission, version_fault
from loadtest.engine.cluster.roster import Member, Roster

if TYPE_CHECKING:
    from loadtest.engine.cluster.post import Post  # Locust, and a patched process

__all__ = ["Door"]


class Door:
    """Lets `expected` workers that know `token` into `roster`; "": there is none to know.

    closed: nobody comes in any more.
    """

    def __init__(self, post: Post, roster: Roster, expected: int, token: str) -> None:
        self._post = post
        self._roster = roster
        self._expected = expected
        self._admission = Admission(token)
        self.closed = False

    def hear(self, kind: str, client_id: str, told: Mapping[str, Any]) -> Member | None:
        """Act on a stranger's hello or proof; the member that it became, if it did.

        It is told that we know the token before it has to say so itself. Raises ValueError for what is no such letter.
        """
        if kind == "hello":
            why = version_fault(told) or self._full()
            if not why:
                self._post.send("proof", self._admission.challenge(client_id, told), client_id)
        else:
            seal = self._admission.admit(client_id, told)
            if seal is not None:
                self._post.trust(client_id, seal)
            why = self._full() if seal is not None else WRONG_TOKEN
            if not why:
                return self._roster.join(client_id)
        if why:
            self._post.dismiss(client_id, why)
        return None

    def _full(self) -> str:
        """Why nobody else can take part; "": somebody can."""
        full = self.closed or len(self._roster) >= self._expected
        return f"the run has its {self._expected} workers already" if full else ""

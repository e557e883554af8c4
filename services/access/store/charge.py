"""Which process is in charge of the leases: only one may give them, and the last one to start is the one."""

import secrets

from contracts.errors import Refusal
from services.runtime.documents import Document, Documents, DuplicateKey

_ID = "leases"


class NotInCharge(Refusal):
    """Another process of this service has taken over the leases; this one must not promise anything about them."""

    status = 503
    code = "not_in_charge"


class Charge:
    """The charge as a document whose version counts the processes that took it, and that names who has it.

    NOTE: leases live in memory. Two processes that both gave leases would each miss the other's when a factory
    revokes, so a process checks, after everything it read and before it answers, that nobody took over. The count
    alone would not tell: a backup that is restored under a running process sets it back, and the next counts the same.
    """

    def __init__(self, documents: Documents, *, lease_s: float) -> None:
        self._charges = documents.collection("charges")
        self._lease_s = lease_s
        self._term = 0
        self._name = secrets.token_hex(16)
        self._longest_s = lease_s

    @property
    def is_taken(self) -> bool:
        """Whether this process has taken the charge, perhaps to lose it since."""
        return self._term > 0

    async def take(self) -> float:
        """Take over; tell for how many seconds a lease of an earlier process may go on from now.

        Until ``settle`` the longest of them is kept: who takes over next may do so while it goes on.
        """
        while True:
            present = await self._charges.get(_ID) or {"version": 0, "lease_s": self._lease_s}
            term = int(present["version"]) + 1
            longest_s = max(self._lease_s, float(present["lease_s"]))
            if await self._write(self._document(term, longest_s)):
                self._term, self._longest_s = term, longest_s
                return longest_s

    async def settle(self) -> None:
        """Note that every lease of an earlier process has run out: those of this one are the longest."""
        if self._longest_s > self._lease_s and await self._is_own():
            own = self._document(self._term, self._lease_s)
            if await self._charges.replace(own, if_version=self._term):
                self._longest_s = self._lease_s

    async def check(self) -> None:
        """Return when this process is still in charge; raises ``NotInCharge``."""
        if not await self._is_own():
            raise NotInCharge("Another process is in charge of the leases; ask again.")

    async def _is_own(self) -> bool:
        present = await self._charges.get(_ID)
        return present is not None and (present["version"], present.get("by")) == (self._term, self._name)

    def _document(self, term: int, lease_s: float) -> Document:
        return {"_id": _ID, "version": term, "lease_s": lease_s, "by": self._name}

    async def _write(self, taken: Document) -> bool:
        """Write the next term; tell whether nobody was faster."""
        if taken["version"] > 1:
            return await self._charges.replace(taken, if_version=taken["version"] - 1)
        try:
            await self._charges.insert(taken)
        except DuplicateKey:
            return False
        return True

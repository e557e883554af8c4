"""Putting on record what an answer shows to a buyer or a group, before any of it is sent.

An answer that says only that a kept copy is current (304), or that leaves out the body (HEAD),
tells the reader that the documents are still there and unchanged: that is put on record as confirmed.
"""

from datetime import UTC, datetime

from uuid_utils import uuid7

from contracts.identity import Principal
from contracts.reads import Act, Read
from contracts.vocabulary import ReportKind
from gateway.recording import ReadLog
from gateway.replica import Decision, Guard, Replica
from gateway.shaping import Opened
from gateway.showing import Shown, shown
from services.runtime.telemetry import current_trace_id


class Reading:
    """Tells what of which factory an answer shows, and puts it on record."""

    def __init__(self, log: ReadLog, replica: Replica) -> None:
        self._log = log
        self._replica = replica

    async def record(
        self, principal: Principal, guard: Guard | None, route: str, answer: Opened, *, is_confirmed: bool
    ) -> None:
        """Return when what an answer shows is on record: then, and not before, its guard lets it out.

        ``route`` is the template of the address that was asked for at the service, ``is_confirmed`` says that the
        reader gets no content. Raises ``ReadNotRecorded``, and ``Withdrawn`` or ``NotFound`` for what is not shared.
        """
        if guard is None or guard.is_on_record:
            return
        found, act = shown(guard.decision, guard.subject, route, answer)
        act = Act.CONFIRMED if is_confirmed or answer.status == 304 else act
        reads = [self._read(principal, guard.decision, route, each, act) for each in found]
        await self._log.record(reads)
        guard.is_on_record = True

    def _read(self, principal: Principal, decision: Decision, route: str, about: Shown, act: Act) -> Read:
        kinds = about.kinds or tuple(ReportKind)  # a profile is shown with whatever is shared
        return Read(
            id=str(uuid7()),
            at=datetime.now(UTC),
            act=act,
            factory_id=about.factory_id,
            buyer_id=decision.buyer_id,
            group_id=decision.group_id,
            subject=_text(principal.subject),
            name=_text(principal.name),
            kinds=about.kinds,
            cycles=about.cycles,
            documents=about.documents,
            route=route,
            epoch=decision.epoch,
            grounds=self._replica.grounds(decision.buyer_id, about.factory_id, kinds, about.cycles),
            trace_id=current_trace_id(),
        )


def _text(claim: str) -> str:
    """What an issuer says of a person, without the halves of characters that JSON can smuggle in."""
    return claim.encode("utf-8", "replace").decode()

"""Agreements between a factory and a buyer: proposed, signed by both, in force in their days; no I/O, no clock."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from contracts.errors import RuleBroken
from contracts.events import Event
from contracts.sharing import AgreementProposedV1, AgreementSignedV1, AgreementTerminatedV1
from contracts.vocabulary import ReportKind
from services.access.domain.grant import Grant
from services.access.domain.paper import Paper


class Side(StrEnum):
    """Who acts on an agreement."""

    FACTORY = "factory"
    BUYER = "buyer"
    PROGRAMME = "programme"


class Stage(StrEnum):
    """Where an agreement is today; whether it is suspended is told by the ledger alone."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    LAPSED = "lapsed"
    TERMINATED = "terminated"


class Act(StrEnum):
    """What can be done to an agreement."""

    ADD_DOCUMENT = "add a document to"
    SIGN = "sign"
    SUSPEND = "suspend"
    RENEW = "renew"
    TERMINATE = "terminate"


MAY: Final[Mapping[Act, frozenset[Stage]]] = {
    Act.ADD_DOCUMENT: frozenset({Stage.PROPOSED}),
    Act.SIGN: frozenset({Stage.PROPOSED}),
    Act.SUSPEND: frozenset({Stage.AGREED, Stage.IN_FORCE, Stage.SUSPENDED}),
    Act.RENEW: frozenset({Stage.AGREED, Stage.IN_FORCE, Stage.SUSPENDED, Stage.LAPSED}),
    Act.TERMINATE: frozenset({Stage.PROPOSED, Stage.AGREED, Stage.IN_FORCE, Stage.SUSPENDED}),
}
"""In which stages what can be done; what is suspended can be resumed in every stage."""


class NotInThisStage(RuleBroken):
    """The agreement's stage does not allow the act."""

    code = "agreement_stage"


class DocumentDiffers(RuleBroken):
    """What is signed must be the document that is stored, and once a side has signed it that document stays."""

    code = "document_differs"


class AgreementDoesNotCover(RuleBroken):
    """A grant that names an agreement must lie within one that is in force between the two."""

    code = "agreement_does_not_cover"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One side's signature: the person, the time, and the document; ``by`` is a subject."""

    side: Side
    name: str
    role: str
    document_sha256: str
    by: str
    at: datetime


class Termination(msgspec.Struct, frozen=True, kw_only=True):
    """Who ended an agreement before its last day, when and why."""

    side: Side
    reason: str
    by: str
    at: datetime


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory and a buyer agree to share, from the first day to the last, both included."""

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date
    ends_on: date | None = None
    scope: str = ""
    proposed_by: Side
    proposed_at: datetime
    predecessor_id: str = ""
    document: Paper | None = None
    signatures: tuple[Signature, ...] = ()
    termination: Termination | None = None

    def proposed(self, today: date) -> tuple["Agreement", Event]:
        """The agreement as it is kept; raises ``Malformed`` for what no grant could say."""
        kinds = tuple(sorted(set(self.kinds)))
        Grant(
            id=self.id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            kinds=kinds[:1],  # an agreement may name kinds that need consents of their own
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            purpose=self.scope,
        ).checked(today)
        event = AgreementProposedV1(
            agreement_id=self.id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            kinds=kinds,
            starts_on=self.starts_on.isoformat(),
            ends_on=self.ends_on.isoformat() if self.ends_on else None,
            predecessor_id=self.predecessor_id,
        )
        return msgspec.structs.replace(self, kinds=kinds), event

    def stage(self, today: date, *, is_suspended: bool) -> Stage:
        """Where the agreement is today, given what the ledger says."""
        if self.termination is not None:
            return Stage.TERMINATED
        if {each.side for each in self.signatures} != {Side.FACTORY, Side.BUYER}:
            return Stage.PROPOSED
        if self.ends_on is not None and self.ends_on < today:
            return Stage.LAPSED
        if is_suspended:
            return Stage.SUSPENDED
        return Stage.IN_FORCE if self.starts_on <= today else Stage.AGREED

    def demand(self, act: Act, today: date, *, is_suspended: bool = False) -> None:
        """Raise ``NotInThisStage`` unless this can be done now."""
        stage = self.stage(today, is_suspended=is_suspended)
        if stage not in MAY[act]:
            raise NotInThisStage(f"Nobody can {act} an agreement that is {stage.replace('_', ' ')}.")

    def with_document(self, paper: Paper, today: date) -> "Agreement":
        """The agreement with its document; raises ``NotInThisStage``, and ``DocumentDiffers`` when one was signed."""
        self.demand(Act.ADD_DOCUMENT, today)
        if self.signatures and self.document and self.document.sha256 != paper.sha256:
            raise DocumentDiffers("A side has signed the document that is stored; propose a new agreement.")
        return self if self.signatures else msgspec.structs.replace(self, document=paper)

    def signed(self, signature: Signature, today: date) -> tuple["Agreement", tuple[Event, ...]]:
        """The agreement with one side's signature; the same again changes nothing.

        Raises ``DocumentDiffers`` for another document than the stored one, and ``NotInThisStage``.
        """
        if self.document is None or self.document.sha256 != signature.document_sha256:
            raise DocumentDiffers("The document that was signed is not the one that is stored.")
        if any(each.side is signature.side for each in self.signatures):
            return self, ()
        self.demand(Act.SIGN, today)
        done = msgspec.structs.replace(self, signatures=(*self.signatures, signature))
        event = AgreementSignedV1(
            agreement_id=self.id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            side=signature.side,
            is_complete=len(done.signatures) > 1,
        )
        return done, (event,)

    def terminated(
        self, termination: Termination, today: date, *, is_suspended: bool
    ) -> tuple["Agreement", tuple[Event, ...]]:
        """The agreement, over; again changes nothing; raises ``NotInThisStage``."""
        if self.termination is not None:
            return self, ()
        self.demand(Act.TERMINATE, today, is_suspended=is_suspended)
        event = AgreementTerminatedV1(
            agreement_id=self.id, factory_id=self.factory_id, buyer_id=self.buyer_id, side=termination.side
        )
        return msgspec.structs.replace(self, termination=termination), (event,)

    def demand_covers(self, grant: Grant, today: date, *, is_suspended: bool) -> None:
        """Raise ``AgreementDoesNotCover`` unless a grant may rest on this agreement today."""
        is_theirs = (self.factory_id, self.buyer_id) == (grant.factory_id, grant.buyer_id)
        if not is_theirs or self.stage(today, is_suspended=is_suspended) is not Stage.IN_FORCE:
            raise AgreementDoesNotCover("No such agreement between the two is in force.")
        is_within = self.ends_on is None or (grant.ends_on is not None and grant.ends_on <= self.ends_on)
        if not set(grant.kinds) <= set(self.kinds) or not is_within or grant.starts_on < self.starts_on:
            raise AgreementDoesNotCover("The grant goes beyond the kinds or the days of the agreement.")

"""A visit to a factory by two advisors, from its scheduling to the day its outcomes stand."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from contracts.assessment import VisitScope
from contracts.errors import NotPermitted, RuleBroken
from services.assessment.domain.evidence import MOST_PER_VISIT, Evidence, TooMuchEvidence
from services.assessment.domain.given import Given, is_conflict
from services.assessment.domain.stages import VisitStage

NEXT: Final[Mapping[VisitStage, frozenset[VisitStage]]] = {
    VisitStage.SCHEDULED: frozenset({VisitStage.UNDER_WAY, VisitStage.CANCELLED}),
    VisitStage.UNDER_WAY: frozenset({VisitStage.SUBMITTED, VisitStage.CANCELLED}),
    VisitStage.SUBMITTED: frozenset({VisitStage.RETURNED, VisitStage.FINALISED}),
    VisitStage.RETURNED: frozenset({VisitStage.SUBMITTED, VisitStage.CANCELLED}),
    VisitStage.FINALISED: frozenset(),
    VisitStage.CANCELLED: frozenset(),
}
"""The only moves; what was submitted is cancelled only after it was returned, so that somebody gives a reason twice."""

ANSWERABLE: Final = frozenset({VisitStage.SCHEDULED, VisitStage.UNDER_WAY, VisitStage.RETURNED})
"""The stages in which advisors answer and add evidence."""


class VisitCannotMove(RuleBroken):
    """The visit's stage does not lead to the one that was asked for."""

    code = "visit_cannot_move"


class VisitNotOpenForAnswers(RuleBroken):
    """Answers and evidence are taken before submission and after a return only."""

    code = "visit_not_open_for_answers"


class PairNotComplete(RuleBroken):
    """Two different advisors visit: a woman and a man, unless a reason is given."""

    code = "pair_not_complete"


class NotAssignedToVisit(NotPermitted):
    """Only the two assigned advisors answer and sign."""

    code = "not_assigned_to_visit"


class NothingAssessed(RuleBroken):
    """A visit that judged no question is no assessment."""

    code = "nothing_assessed"


class RequiredQuestionsOpen(RuleBroken):
    """A visit is signed when its required questions are answered."""

    code = "required_questions_open"


class Sex(StrEnum):
    """The sex of an advisor, for the rule of the pair."""

    FEMALE = "female"
    MALE = "male"


class Advisor(msgspec.Struct, frozen=True, kw_only=True):
    """An assigned advisor; ``id`` is the subject of their sign-in."""

    id: str
    sex: Sex


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """An advisor signed the visit as it stood."""

    by: str
    at: datetime


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an imported visit came from.

    ``reason`` says why the rules of the pair and of required questions do not apply; ``refusal`` why the visit
    could not be finalised.
    """

    import_id: str
    by: str
    reason: str
    refusal: str | None = None


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One visit. ``answers`` are by question: the latest of each advisor.

    ``place`` is there unless the visit was cancelled, and unique: one visit per factory, cycle and questionnaire.
    """

    id: str
    factory_id: str
    time_zone: str
    cycle: int
    questionnaire_id: str
    starts_on: date
    days: int
    scope: VisitScope
    stage: VisitStage
    scheduled_by: str
    scheduled_at: datetime
    advisors: tuple[Advisor, ...] = ()
    pair_reason: str = ""
    answers: dict[str, tuple[Given, ...]] = {}
    evidence: tuple[Evidence, ...] = ()
    signatures: tuple[Signature, ...] = ()
    returned_reason: str = ""
    cancelled_reason: str = ""
    finalised_by: str | None = None
    finalised_at: datetime | None = None
    origin: Origin | None = None
    place: str | None = None

    def conflicts(self) -> list[str]:
        """The questions on which the advisors differ, for the team leader; finalising settles them."""
        if self.stage is VisitStage.FINALISED:
            return []
        return [question_id for question_id, given in self.answers.items() if is_conflict(given)]

    def today(self, now: datetime) -> date:
        """The date at the factory."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def refuse_unless_assigned(self, advisor_id: str) -> None:
        """Refuse everybody but the assigned advisors."""
        if all(advisor.id != advisor_id for advisor in self.advisors):
            raise NotAssignedToVisit("Only the advisors assigned to the visit answer and sign.")

    def refuse_unless_open(self) -> None:
        """Refuse answers and evidence when the stage takes none."""
        if self.stage not in ANSWERABLE:
            raise VisitNotOpenForAnswers(f"The visit is {self.stage} and takes no answers.")

    def with_evidence(self, evidence: Evidence) -> "Visit":
        """The visit with one more file; the same bytes again change nothing."""
        self.refuse_unless_assigned(evidence.added_by)
        if any(present.sha256 == evidence.sha256 for present in self.evidence):
            return self
        self.refuse_unless_open()
        if len(self.evidence) >= MOST_PER_VISIT:
            raise TooMuchEvidence(f"A visit holds at most {MOST_PER_VISIT} files.")
        return replace(self, evidence=(*self.evidence, evidence))

    def signed(self, *, by: str, missing: Sequence[str], now: datetime) -> "Visit":
        """Sign as an advisor; with the second signature the visit is submitted. Signing again changes nothing.

        ``missing`` are the required questions without an answer.
        """
        self.refuse_unless_assigned(by)
        if self.stage is VisitStage.SUBMITTED:
            return self
        self.refuse_unless_leads_to(VisitStage.SUBMITTED)
        if missing:
            raise RequiredQuestionsOpen(f"These required questions have no answer: {', '.join(missing)}.")
        if any(signature.by == by for signature in self.signatures):
            return self
        signatures = (*self.signatures, Signature(by=by, at=now))
        is_complete = {signature.by for signature in signatures} >= {advisor.id for advisor in self.advisors}
        stage = VisitStage.SUBMITTED if is_complete else self.stage
        return replace(self, signatures=signatures, stage=stage)

    def returned(self, reason: str) -> "Visit":
        """Give the visit back to its advisors, who sign anew."""
        self.refuse_unless_leads_to(VisitStage.RETURNED)
        return replace(self, stage=VisitStage.RETURNED, returned_reason=reason, signatures=())

    def cancelled(self, reason: str) -> "Visit":
        """Call the visit off; another one may take its place."""
        if self.stage is VisitStage.CANCELLED:
            return self
        self.refuse_unless_leads_to(VisitStage.CANCELLED)
        return replace(self, stage=VisitStage.CANCELLED, cancelled_reason=reason, place=None)

    def moved_to(self, stage: VisitStage) -> "Visit":
        """The visit in another stage; raises ``VisitCannotMove``."""
        self.refuse_unless_leads_to(stage)
        return replace(self, stage=stage)

    def refuse_unless_leads_to(self, stage: VisitStage) -> None:
        """Refuse a move that ``NEXT`` does not list."""
        if stage not in NEXT[self.stage]:
            raise VisitCannotMove(f"The visit is {self.stage} and cannot become {stage}.")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for when a visit is scheduled; ``time_zone`` is the factory's."""

    factory_id: str
    time_zone: str
    cycle: int
    questionnaire_id: str
    starts_on: date
    days: int = 2
    scope: VisitScope = VisitScope.FULL
    advisors: tuple[Advisor, ...] = ()
    pair_reason: str = ""


def scheduled(visit_id: str, plan: Plan, *, by: str, now: datetime, origin: Origin | None = None) -> Visit:
    """A new visit; only an ``origin`` waives the rule of the pair."""
    if origin is None:
        _refuse_incomplete_pair(plan.advisors, plan.pair_reason)
    return Visit(
        id=visit_id,
        factory_id=plan.factory_id,
        time_zone=plan.time_zone,
        cycle=plan.cycle,
        questionnaire_id=plan.questionnaire_id,
        starts_on=plan.starts_on,
        days=plan.days,
        scope=plan.scope,
        stage=VisitStage.SCHEDULED,
        scheduled_by=by,
        scheduled_at=now,
        advisors=plan.advisors,
        pair_reason=plan.pair_reason,
        origin=origin,
        place=f"{plan.factory_id} {plan.cycle} {plan.questionnaire_id}",
    )


def _refuse_incomplete_pair(advisors: Sequence[Advisor], pair_reason: str) -> None:
    if len(advisors) != 2 or advisors[0].id == advisors[1].id:
        raise PairNotComplete("A visit has exactly two different advisors.")
    if {advisor.sex for advisor in advisors} != set(Sex) and not pair_reason.strip():
        raise PairNotComplete("A woman and a man visit together; another pair needs a pair_reason.")

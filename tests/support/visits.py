"""Finalised visits as assessment announces them, for the services that listen."""

from collections.abc import Mapping

from contracts.assessment import OutcomeV1, VisitFinalisedV1, VisitScope
from contracts.vocabulary import POINT_BY_CODE, Outcome


def an_outcome(question_id: str, outcome: Outcome, compliance_point: str = "overtime") -> OutcomeV1:
    """What a visit found on a question."""
    return OutcomeV1(
        question_id=question_id,
        global_id=f"G-{question_id}",
        cluster=POINT_BY_CODE[compliance_point].cluster,
        compliance_point=compliance_point,
        outcome=outcome,
        tags=("zero_tolerance",),
    )


def a_finalised_visit(
    visit_id: str = "visit-1",
    *,
    factory_id: str = "factory-1",
    cycle: int = 1,
    findings: Mapping[str, str] | None = None,
    fine: Mapping[str, str] | None = None,
) -> VisitFinalisedV1:
    """A visit with ``findings`` and with what it found ``fine``, both as question id and compliance point."""
    given = {"q-1": "overtime", "q-2": "chemicals"} if findings is None else findings
    outcomes = [an_outcome(question, Outcome.NON_COMPLIANT, point) for question, point in given.items()]
    outcomes += [an_outcome(question, Outcome.COMPLIANT, point) for question, point in (fine or {}).items()]
    return VisitFinalisedV1(
        visit_id=visit_id,
        factory_id=factory_id,
        cycle=cycle,
        questionnaire_id="questionnaire-1",
        scope=VisitScope.FULL,
        visited_on="2026-01-05",
        finalised_at="2026-01-20T09:00:00+00:00",
        outcomes=tuple(outcomes),
    )

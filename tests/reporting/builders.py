"""What the tests of reporting are made of: a factory, a small questionnaire in two languages, and visits."""

from collections.abc import Mapping, Sequence

from contracts.access import FactoryRegisteredV1
from contracts.assessment import (
    FactV1,
    OutcomeV1,
    QuestionnairePublishedV1,
    QuestionV1,
    VisitFinalisedV1,
    VisitScope,
)
from contracts.vocabulary import POINT_BY_CODE, AnswerType, Basis, Outcome, QuestionKind
from services.reporting.domain.aggregate import FactoryResult
from services.reporting.domain.rates import VisitResult, point_counts
from services.reporting.domain.snapshot import FactoryCard
from tests.support.services import COUNTRY

NC, OK, NA, OPEN = Outcome.NON_COMPLIANT, Outcome.COMPLIANT, Outcome.NOT_APPLICABLE, Outcome.NOT_ASSESSED
QUESTIONNAIRE = "jo-garment-1"
LAW = "Labour Law No. 8 of 1996, art. 73"
WORDS = {
    "child_labourers_01": ("Is the age of every worker verified?", "هل يُتحقَّق من سن كل عامل؟"),
    "child_labourers_02": ("Is there a worker below the minimum age?", "هل يوجد عامل دون السن القانونية؟"),
    "gender_01": ("Is pregnancy a reason for dismissal?", "هل الحمل سبب للفصل من العمل؟"),
    "emergency_preparedness_01": ("Are the emergency exits unlocked?", "هل مخارج الطوارئ مفتوحة؟"),
    "emergency_preparedness_02": ("Is there a fire alarm?", "هل يوجد إنذار حريق؟"),
    "worker_accommodation_01": ("Is the dormitory separate from the workplace?", "هل السكن منفصل عن مكان العمل؟"),
}
REFERENCES = {
    "child_labourers_01": f"{LAW}; ILO C138, art. 2",
    "child_labourers_02": "ILO C138, art. 2",
    "emergency_preparedness_01": f"Instructions of 1998, art. 12; {LAW}",
}
FINDINGS = {
    "child_labourers_01": ("The age of workers is not verified.", "لا يُتحقَّق من سن العمال."),
    "emergency_preparedness_01": ("An emergency exit was locked.", "كان أحد مخارج الطوارئ مقفلاً."),
}
FACTS = (
    ("supplier_information_01", AnswerType.BY_SEX, "Workers", "العمال"),
    ("supplier_information_02", AnswerType.DATE, "Start of operations", "تاريخ بدء التشغيل"),
    ("systems_01", AnswerType.YES_NO, "Is there a written policy?", "هل توجد سياسة مكتوبة؟"),
)


def a_registration(factory_id: str = "f1", **changes: str) -> FactoryRegisteredV1:
    known = {
        "original_id": "JO-0042",
        "name": "Al-Rabea Garments",
        "country": COUNTRY,
        "industry": "C14",
        "time_zone": "Asia/Amman",
        "owner_group": "Rabea Holding",
    }
    return FactoryRegisteredV1(factory_id=factory_id, **{**known, **changes})


def a_card(factory_id: str = "f1", **changes: str) -> FactoryCard:
    event = a_registration(factory_id, **changes)
    return FactoryCard(**{name: getattr(event, name) for name in FactoryCard.__struct_fields__})


def a_questionnaire(questionnaire_id: str = QUESTIONNAIRE) -> QuestionnairePublishedV1:
    judged = [
        QuestionV1(
            id=question_id,
            global_id=f"G-{question_id}",
            kind=QuestionKind.NON_COMPLIANCE,
            cluster=POINT_BY_CODE[question_id[:-3]].cluster,
            compliance_point=question_id[:-3],
            answer_type=AnswerType.YES_NO,
            texts={"en": english, "ar": arabic},
            finding_texts=dict(zip(("en", "ar"), FINDINGS.get(question_id, ()), strict=False)),
            basis=Basis.NATIONAL_LAW,
            legal_references={"en": REFERENCES[question_id]} if question_id in REFERENCES else {},
            tags=("public_disclosure",) if question_id == "emergency_preparedness_01" else (),
        )
        for question_id, (english, arabic) in WORDS.items()
    ]
    facts = [
        QuestionV1(
            id=fact_id,
            global_id=f"G-{fact_id}",
            kind=QuestionKind.FACT,
            cluster=fact_id[:-3],
            compliance_point=None,
            answer_type=answer_type,
            texts={"en": english, "ar": arabic},
        )
        for fact_id, answer_type, english, arabic in FACTS
    ]
    return QuestionnairePublishedV1(
        questionnaire_id=questionnaire_id,
        country=COUNTRY,
        industry="C14",
        version="2026.1",
        titles={"en": "Jordan, garment industry", "ar": "الأردن، قطاع الألبسة"},
        languages=("en", "ar"),
        questions=(*facts, *judged),
    )


def outcomes_of(found: Mapping[str, Outcome]) -> tuple[OutcomeV1, ...]:
    """Outcomes by question id; the compliance point is the id without its number."""
    return tuple(
        OutcomeV1(
            question_id=question_id,
            global_id=f"G-{question_id}",
            cluster=POINT_BY_CODE[question_id[:-3]].cluster,
            compliance_point=question_id[:-3],
            outcome=outcome,
        )
        for question_id, outcome in found.items()
    )


USUAL = {
    "child_labourers_01": NC,
    "child_labourers_02": OK,
    "gender_01": OK,
    "emergency_preparedness_01": NC,
    "emergency_preparedness_02": OPEN,
    "worker_accommodation_01": NA,
}


def a_visit(
    visit_id: str = "v1",
    factory_id: str = "f1",
    *,
    outcomes: Mapping[str, Outcome] | None = None,
    cycle: int = 1,
    on: str = "2026-02-11",
    scope: VisitScope = VisitScope.FULL,
    questionnaire_id: str = QUESTIONNAIRE,
    facts: Sequence[FactV1] | None = None,
) -> VisitFinalisedV1:
    usual = (
        FactV1(question_id="systems_01", section="systems", answer_type=AnswerType.YES_NO, value="yes"),
        FactV1(
            question_id="supplier_information_01",
            section="supplier_information",
            answer_type=AnswerType.BY_SEX,
            value={"women": 812, "men": 391},
        ),
        FactV1(
            question_id="supplier_information_02",
            section="supplier_information",
            answer_type=AnswerType.DATE,
            value="2009-03-01",
        ),
    )
    return VisitFinalisedV1(
        visit_id=visit_id,
        factory_id=factory_id,
        cycle=cycle,
        questionnaire_id=questionnaire_id,
        scope=scope,
        visited_on=on,
        finalised_at="2026-02-20T09:00:00+00:00",
        outcomes=outcomes_of(USUAL if outcomes is None else outcomes),
        facts=usual if facts is None else tuple(facts),
    )


def a_result(
    factory_id: str,
    outcomes: Mapping[str, Outcome],
    *,
    industry: str = "C14",
    owner: str = "",
    cycle: int = 1,
) -> FactoryResult:
    return FactoryResult(
        factory_id=factory_id,
        country=COUNTRY,
        cycle=cycle,
        industry=industry,
        owner_group=owner,
        visit=VisitResult(
            factory_id=factory_id,
            visit_id=f"{factory_id}-{cycle}",
            visited_on=f"202{cycle}-01-01",
            is_full=True,
            points=point_counts(outcomes_of(outcomes)),
        ),
    )

"""The rules of a visit: its pair, its stages, two advisors at work, its outcomes."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from contracts.vocabulary import Outcome
from services.assessment.domain.evidence import Evidence, UnknownFileType, content_type_of
from services.assessment.domain.findings import finalised, findings, outcome, required_and_open
from services.assessment.domain.given import standing
from services.assessment.domain.questionnaire import NEXT as QUESTIONNAIRE_NEXT
from services.assessment.domain.questionnaire import QuestionnaireCannotMove, QuestionnaireNotPublished
from services.assessment.domain.recording import Answer, AnswersRefused, with_answers
from services.assessment.domain.stages import QuestionnaireStage, VisitStage
from services.assessment.domain.visit import (
    ANSWERABLE,
    NEXT,
    Advisor,
    NotAssignedToVisit,
    NothingAssessed,
    PairNotComplete,
    RequiredQuestionsOpen,
    Sex,
    Visit,
    VisitCannotMove,
    VisitNotOpenForAnswers,
)
from tests.assessment.samples import NOW, PAIR, a_questionnaire, a_visit

FORM = a_questionnaire()
LATER = NOW + timedelta(hours=1)


def answered(visit: Visit, by: str = "amal", at: datetime | None = None, **values: object) -> Visit:
    answers = [Answer(question_id=key, value=value, answered_at=at) for key, value in values.items()]
    return with_answers(visit, FORM, answers, by=by, now=LATER)


def at_stage(stage: VisitStage) -> Visit:
    return replace(answered(a_visit(), workers=5, exits_open="no"), stage=stage)


def submitted() -> Visit:
    return at_stage(VisitStage.SUBMITTED)


class TestPair:
    def test_a_woman_and_a_man_need_no_reason(self) -> None:
        assert a_visit().advisors == PAIR

    @pytest.mark.parametrize("sex", list(Sex))
    def test_two_of_one_sex_need_a_reason(self, sex: Sex) -> None:
        pair = (Advisor(id="a", sex=sex), Advisor(id="b", sex=sex))
        with pytest.raises(PairNotComplete, match="pair_reason"):
            a_visit(advisors=pair, pair_reason="  ")
        assert a_visit(advisors=pair, pair_reason="illness").pair_reason == "illness"

    @pytest.mark.parametrize("advisors", [(), PAIR[:1], (PAIR[0], PAIR[0]), (*PAIR, Advisor(id="c", sex=Sex.MALE))])
    def test_there_are_exactly_two_different_advisors(self, advisors: tuple[Advisor, ...]) -> None:
        with pytest.raises(PairNotComplete, match="exactly two"):
            a_visit(advisors=advisors, pair_reason="any")


class TestStages:
    @pytest.mark.parametrize("stage", list(VisitStage))
    @pytest.mark.parametrize("target", list(VisitStage))
    def test_only_listed_moves_happen(self, stage: VisitStage, target: VisitStage) -> None:
        visit = at_stage(stage)
        if target in NEXT[stage]:
            assert visit.moved_to(target).stage is target
        else:
            with pytest.raises(VisitCannotMove):
                visit.moved_to(target)

    @pytest.mark.parametrize("stage", list(QuestionnaireStage))
    def test_a_questionnaire_is_published_only_from_draft(self, stage: QuestionnaireStage) -> None:
        form = replace(FORM, stage=stage)
        if QuestionnaireStage.PUBLISHED in QUESTIONNAIRE_NEXT[stage]:
            assert form.publish(by="admin", now=NOW)[0].stage is QuestionnaireStage.PUBLISHED
        else:
            with pytest.raises(QuestionnaireCannotMove):
                form.publish(by="admin", now=NOW)

    @pytest.mark.parametrize("stage", list(QuestionnaireStage))
    def test_a_questionnaire_is_retired_only_when_published(self, stage: QuestionnaireStage) -> None:
        form = replace(FORM, stage=stage)
        if QuestionnaireStage.RETIRED in QUESTIONNAIRE_NEXT[stage]:
            assert form.retire(now=NOW).stage is QuestionnaireStage.RETIRED
        else:
            with pytest.raises(QuestionnaireCannotMove):
                form.retire(now=NOW)

    @pytest.mark.parametrize("stage", [QuestionnaireStage.DRAFT, QuestionnaireStage.RETIRED])
    def test_only_a_published_questionnaire_serves_new_visits(self, stage: QuestionnaireStage) -> None:
        with pytest.raises(QuestionnaireNotPublished):
            replace(FORM, stage=stage).refuse_for_visits()

    @pytest.mark.parametrize("stage", list(VisitStage))
    def test_answers_are_taken_in_open_stages_only(self, stage: VisitStage) -> None:
        if stage in ANSWERABLE:
            assert standing(answered(at_stage(stage), workers=6).answers["workers"]).value == 6
        else:
            with pytest.raises(VisitNotOpenForAnswers):
                answered(at_stage(stage), workers=6)

    def test_the_first_answer_sets_the_visit_under_way(self) -> None:
        assert answered(a_visit(), workers=5).stage is VisitStage.UNDER_WAY

    def test_a_returned_visit_stays_returned_until_it_is_signed_again(self) -> None:
        visit = answered(submitted().returned("look again"), workers=6)
        assert (visit.stage, visit.signatures) == (VisitStage.RETURNED, ())

    def test_a_cancelled_visit_leaves_its_place(self) -> None:
        assert a_visit().place is not None
        assert a_visit().cancelled("closed").place is None


class TestAnswering:
    def test_strangers_do_not_answer(self) -> None:
        with pytest.raises(NotAssignedToVisit):
            answered(a_visit(), by="stranger", workers=5)

    def test_every_faulty_answer_is_named_and_none_is_kept(self) -> None:
        answers = [
            Answer(question_id="workers", value="many"),
            Answer(question_id="nothing", value="yes"),
            Answer(question_id="exits_open", is_not_applicable=True),
            Answer(question_id="exits_locked"),
            Answer(question_id="beds", value="yes", is_not_applicable=True),
            Answer(question_id="hours", value="1", evidence=("other",)),
            Answer(question_id="size", value="small"),
        ]
        with pytest.raises(AnswersRefused) as refused:
            with_answers(a_visit(), FORM, answers, by="amal", now=NOW)
        named = [line.split(":")[0] for line in str(refused.value).splitlines()]
        assert named == ["workers", "nothing", "exits_open", "exits_locked", "beds", "hours"]

    def test_not_applicable_is_taken_where_it_is_permitted(self) -> None:
        visit = with_answers(a_visit(), FORM, [Answer(question_id="beds", is_not_applicable=True)], by="amal", now=NOW)
        assert outcome(FORM.by_id["beds"], visit) is Outcome.NOT_APPLICABLE

    def test_an_older_answer_that_arrives_late_changes_nothing(self) -> None:
        visit = answered(a_visit(), at=NOW, workers=7)
        assert answered(visit, at=NOW - timedelta(minutes=5), workers=5) == visit

    def test_a_newer_answer_replaces_the_older_one(self) -> None:
        visit = answered(answered(a_visit(), at=NOW, workers=7), at=LATER, workers=8)
        assert [given.value for given in visit.answers["workers"]] == [8]

    def test_a_clock_that_runs_ahead_is_set_back_to_the_arrival(self) -> None:
        visit = answered(a_visit(), at=datetime(2999, 1, 1, tzinfo=UTC), workers=7)
        assert visit.answers["workers"][0].answered_at == LATER

    def test_a_time_without_its_offset_is_refused(self) -> None:
        with pytest.raises(AnswersRefused, match="offset"):
            answered(a_visit(), at=datetime(2026, 3, 2, 9), workers=7)  # noqa: DTZ001 - what is refused

    def test_the_newest_answer_of_two_advisors_stands_and_they_are_in_conflict(self) -> None:
        visit = answered(a_visit(), by="amal", at=NOW, exits_open="no")
        visit = answered(visit, by="basel", at=NOW - timedelta(minutes=1), exits_open="yes")
        assert standing(visit.answers["exits_open"]).value == "no"
        assert visit.conflicts() == ["exits_open"]

    def test_answering_alike_settles_a_conflict(self) -> None:
        visit = answered(answered(a_visit(), by="amal", exits_open="no"), by="basel", exits_open="yes")
        assert answered(visit, by="basel", exits_open="no").conflicts() == []

    def test_finalising_settles_a_conflict(self) -> None:
        visit = answered(answered(a_visit(), by="amal", exits_open="no"), by="basel", exits_open="yes")
        closed, _ = finalised(replace(visit, stage=VisitStage.SUBMITTED), FORM, by="leader", now=LATER)
        assert closed.conflicts() == []

    def test_a_hundred_corrections_leave_one_answer(self) -> None:
        visit = a_visit()
        for minute in range(100):
            visit = answered(visit, at=NOW - timedelta(minutes=100 - minute), workers=minute)
        assert [given.value for given in visit.answers["workers"]] == [99]


class TestSigning:
    def test_two_signatures_submit(self) -> None:
        visit = answered(a_visit(), workers=5).signed(by="amal", missing=(), now=NOW)
        assert visit.stage is VisitStage.UNDER_WAY
        assert visit.signed(by="basel", missing=(), now=NOW).stage is VisitStage.SUBMITTED

    def test_one_advisor_cannot_sign_for_two(self) -> None:
        visit = answered(a_visit(), workers=5).signed(by="amal", missing=(), now=NOW)
        assert visit.signed(by="amal", missing=(), now=LATER) == visit

    def test_strangers_do_not_sign(self) -> None:
        with pytest.raises(NotAssignedToVisit):
            answered(a_visit(), workers=5).signed(by="leader", missing=(), now=NOW)

    def test_a_required_question_must_be_answered(self) -> None:
        visit = answered(a_visit(), hours="1")
        assert required_and_open(FORM, visit) == ["workers"]
        with pytest.raises(RequiredQuestionsOpen, match="workers"):
            visit.signed(by="amal", missing=["workers"], now=NOW)

    def test_a_change_withdraws_the_signature_of_who_made_it(self) -> None:
        visit = answered(a_visit(), workers=5).signed(by="amal", missing=(), now=NOW)
        assert len(answered(visit, by="basel", hours="1").signatures) == 1
        assert answered(visit, by="amal", hours="1").signatures == ()

    def test_a_visit_is_not_signed_before_it_is_under_way(self) -> None:
        with pytest.raises(VisitCannotMove):
            a_visit().signed(by="amal", missing=(), now=NOW)


class TestOutcomes:
    @pytest.mark.parametrize(
        ("question_id", "value", "expected"),
        [
            ("exits_open", "yes", Outcome.COMPLIANT),
            ("exits_open", "no", Outcome.NON_COMPLIANT),
            ("exits_locked", "yes", Outcome.NON_COMPLIANT),
            ("exits_locked", "no", Outcome.COMPLIANT),
        ],
    )
    def test_polarity_decides(self, question_id: str, value: str, expected: Outcome) -> None:
        visit = with_answers(a_visit(), FORM, [Answer(question_id=question_id, value=value)], by="amal", now=NOW)
        assert outcome(FORM.by_id[question_id], visit) is expected

    @pytest.mark.parametrize(("profile", "expected"), [("no", "not_applicable"), ("yes", "not_assessed")])
    def test_what_the_profile_does_not_ask_is_not_applicable(self, profile: str, expected: str) -> None:
        assert outcome(FORM.by_id["beds"], answered(a_visit(), dormitory=profile)) == expected

    @pytest.mark.parametrize(("workers", "expected"), [(0, "not_applicable"), (1, "not_assessed")])
    def test_a_count_above_zero_asks(self, workers: int, expected: str) -> None:
        assert outcome(FORM.by_id["crowded"], answered(a_visit(), workers=workers)) == expected

    def test_an_open_question_is_not_assessed(self) -> None:
        assert outcome(FORM.by_id["beds"], a_visit()) is Outcome.NOT_ASSESSED

    def test_a_finding_carries_its_statement_in_every_language(self) -> None:
        found = findings(FORM, answered(a_visit(), exits_open="no", exits_locked="no"))
        assert [(each.question_id, sorted(each.finding_texts)) for each in found] == [("exits_open", ["en", "fr"])]

    def test_texts_and_notes_never_leave(self) -> None:
        answers = [
            Answer(question_id="products", value="canary-text"),
            Answer(question_id="hours", value="1", note="canary-note"),
            Answer(question_id="exits_open", value="yes", note="canary-note"),
        ]
        visit = with_answers(a_visit(), FORM, answers, by="amal", now=NOW)
        _, event = finalised(replace(visit, stage=VisitStage.SUBMITTED), FORM, by="leader", now=NOW)
        assert [fact.question_id for fact in event.facts] == ["hours"]
        assert "canary" not in repr(event)

    def test_a_visit_that_judged_nothing_is_not_finalised(self) -> None:
        visit = replace(answered(a_visit(), workers=0), stage=VisitStage.SUBMITTED)
        with pytest.raises(NothingAssessed):
            finalised(visit, FORM, by="leader", now=NOW)


class TestEvidence:
    @pytest.mark.parametrize(
        ("head", "content_type"),
        [
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
            (b"%PDF-1.7", "application/pdf"),
        ],
    )
    def test_the_bytes_tell_the_type(self, head: bytes, content_type: str) -> None:
        assert content_type_of(head) == content_type

    @pytest.mark.parametrize("head", [b"", b"<svg", b"RIFF\x00\x00\x00\x00WAVE", b"GIF89a", b"MZ"])
    def test_other_bytes_are_refused(self, head: bytes) -> None:
        with pytest.raises(UnknownFileType):
            content_type_of(head)

    def test_the_same_bytes_are_listed_once(self) -> None:
        photo = Evidence(id="e1", sha256="a" * 64, size=1, content_type="image/png", added_by="amal", added_at=NOW)
        visit = a_visit().with_evidence(photo)
        assert visit.with_evidence(replace(photo, id="e2")) == visit

"""Requests with an ``Idempotency-Key``: of many gateways one does them, and what came of it is kept for a day."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.identity import Role
from contracts.repetitions import Claim, Claimed, Ended, KeptAnswer, Outcome
from services.access.app import make_service
from services.access.domain.repetition import KEPT, REMOVED_WITHIN, RUNS_AT_MOST, Repetition, Stage, claimed
from services.access.store.repetitions import SWEPT, Repetitions
from services.runtime.documents.sqlite import SqliteDocuments
from tests.support.services import a_principal, running_service, signed

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
KEY, SAME, OTHER = "a" * 64, "b" * 64, "c" * 64
ANSWER = KeptAnswer(201, ((b"content-type", b"application/json"),), b'{"id": "f1"}')


def a_claim(attempt: str = "one", request: str = SAME, *, can_run_again: bool = False) -> Claim:
    return Claim(attempt=attempt, request=request, can_run_again=can_run_again)


def running(*, can_run_again: bool = False) -> Repetition:
    return Repetition.of(a_claim(can_run_again=can_run_again), NOW)


def done() -> Repetition:
    ended = running().ended(Ended(attempt="one", answer=ANSWER))
    assert ended is not None
    return ended


def unknown(*, can_run_again: bool = False) -> Repetition:
    ended = running(can_run_again=can_run_again).ended(Ended(attempt="one"))
    assert ended is not None
    return ended


def told(present: Repetition | None, claim: Claim, after: timedelta = timedelta()) -> Claimed:
    return claimed(present, claim, NOW + after)[0]


def test_what_nobody_did_is_done() -> None:
    answer, written = claimed(None, a_claim(), NOW)
    assert (answer.outcome, written) == (Outcome.RUN, running())


def test_what_is_done_is_answered_again() -> None:
    assert told(done(), a_claim("two")) == Claimed(outcome=Outcome.REPEAT, answer=ANSWER)


@pytest.mark.parametrize("present", [running(), done(), unknown(can_run_again=True)])
def test_another_request_with_the_key_is_refused(present: Repetition) -> None:
    assert told(present, a_claim("two", OTHER, can_run_again=True)).outcome is Outcome.REUSED


def test_what_is_being_done_is_not_done_beside() -> None:
    present = running(can_run_again=True)
    assert told(present, a_claim("two", can_run_again=True), RUNS_AT_MOST / 2).outcome is Outcome.RUNNING


def test_the_same_attempt_may_ask_twice() -> None:
    assert told(running(), a_claim("one"), RUNS_AT_MOST / 2).outcome is Outcome.RUN


@pytest.mark.parametrize(("present", "after"), [(running(), RUNS_AT_MOST), (unknown(), timedelta())])
def test_what_may_have_been_done_is_not_done_again(present: Repetition, after: timedelta) -> None:
    assert told(present, a_claim("two"), after).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("present", "after"), [(running(can_run_again=True), RUNS_AT_MOST), (unknown(can_run_again=True), timedelta())]
)
def test_what_makes_the_same_thing_is_done_again_by_the_next_attempt(present: Repetition, after: timedelta) -> None:
    answer, written = claimed(present, a_claim("two", can_run_again=True), NOW + after)
    assert answer.outcome is Outcome.RUN
    assert written is not None
    assert written.attempt == "two"


def test_what_was_never_begun_is_done_by_the_next_attempt() -> None:
    present = running().ended(Ended(attempt="one", was_begun=False))
    assert told(present, a_claim("two")).outcome is Outcome.RUN


def test_an_attempt_that_was_given_up_ends_nothing() -> None:
    assert running().ended(Ended(attempt="two", answer=ANSWER)) is None


def test_an_answer_that_is_kept_stays_the_answer() -> None:
    assert done().ended(Ended(attempt="one")) is None


def test_a_day_later_it_is_forgotten() -> None:
    assert told(done(), a_claim("two"), KEPT - timedelta(seconds=1)).outcome is Outcome.REPEAT
    assert told(done(), a_claim("two", OTHER), KEPT).outcome is Outcome.RUN


def test_what_is_being_removed_is_not_claimed() -> None:
    removed = done().removed(NOW + KEPT)
    assert removed is not None
    assert (removed.stage, removed.answer) == (Stage.OVER, None)
    assert told(removed, a_claim("two"), KEPT).outcome is Outcome.RUNNING


def test_only_one_removes_it_unless_it_died() -> None:
    removed = done().removed(NOW + KEPT)
    assert removed is not None
    assert removed.removed(NOW + KEPT) is None
    assert removed.removed(NOW + KEPT + REMOVED_WITHIN) is not None


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    documents = SqliteDocuments(tmp_path / "access.sqlite")
    yield documents
    await documents.stop()


async def test_of_many_claims_one_is_told_to_do_it(documents: SqliteDocuments) -> None:
    stores = [Repetitions(documents) for _ in range(2)]
    await documents.start()
    answers = await asyncio.gather(
        *(stores[number % 2].claim(KEY, a_claim(f"a{number}"), now=NOW) for number in range(40))
    )
    outcomes = [answer.outcome for answer in answers]
    assert (outcomes.count(Outcome.RUN), outcomes.count(Outcome.RUNNING)) == (1, 39)


async def test_what_is_kept_is_read_back_byte_for_byte(documents: SqliteDocuments) -> None:
    store = Repetitions(documents)
    await documents.start()
    answer = KeptAnswer(200, ((b"x", b"\xff"),), bytes(range(256)))
    await store.claim(KEY, a_claim(), now=NOW)
    await store.end(KEY, Ended(attempt="one", answer=answer), now=NOW)
    assert (await store.claim(KEY, a_claim("two"), now=NOW)).answer == answer


async def test_what_is_forgotten_is_removed(documents: SqliteDocuments) -> None:
    store, collection = Repetitions(documents), documents.collection("repetitions")
    await documents.start()
    for number in range(SWEPT + 5):
        await store.claim(f"{number:064x}", a_claim(), now=NOW)
    later = NOW + KEPT
    await store.claim(KEY, a_claim(), now=later)
    assert await collection.count() == 6
    await store.claim(KEY, a_claim(), now=later)
    assert await collection.count() == 1


async def test_only_a_gateway_claims(tmp_path: Path) -> None:
    async with running_service(make_service, tmp_path) as access:
        for role, status in ((Role.ADMINISTRATOR, 404), (Role.BUYER, 404), (Role.GATEWAY, 200)):
            caller = a_principal(role, party_id="b1")
            body = {"attempt": "one", "request": SAME, "can_run_again": False}
            got = await access.http.post(f"/internal/repetitions/{KEY}/claim", headers=signed(caller), json=body)
            assert got.status_code == status


@pytest.mark.parametrize("key", ["x", "A" * 64, "a" * 63])
async def test_what_is_no_digest_is_no_key(tmp_path: Path, key: str) -> None:
    async with running_service(make_service, tmp_path) as access:
        body = {"attempt": "one", "request": SAME, "can_run_again": False}
        got = await access.post(f"/internal/repetitions/{key}/claim", a_principal(Role.GATEWAY), body)
        assert got.status_code == 400

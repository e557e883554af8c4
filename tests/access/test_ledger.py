"""The ledger is one chain, whoever writes at the same time, and the fold says what the chain says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.access import EntryKind
from contracts.errors import Malformed, NotFound
from contracts.identity import Scope
from services.access.domain.consent.endings import revocation
from services.access.domain.consent.entry import Entry, followed
from services.access.domain.consent.facts import BuyerClosed, BuyerReopened, Fact, GrantGiven, GroupJoined
from services.access.domain.consent.fold import Fold, LedgerBroken
from services.access.domain.grant import GrantDatesWrong
from services.access.store.ledger import Keys, Ledger
from services.runtime.bus import RetryPolicy
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.relay import Relay
from services.runtime.unavailable import StoreUnavailable
from tests.access.entries import KEY, NOW, TODAY, a_fold, a_grant, signed_next


@asynccontextmanager
async def two_writers(folder: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two processes on one ledger."""
    async with _process(folder) as first, _process(folder) as second:
        yield first, second


@asynccontextmanager
async def _process(folder: Path) -> AsyncIterator[Ledger]:
    documents = SqliteDocuments(folder / "access.sqlite")
    bus = InProcessBus(documents.collection("messages", INDEXES), RetryPolicy())
    ledger = Ledger(documents, keys=Keys(current=KEY), source="JO/access", relay=Relay(bus, scan_every_s=60))
    await documents.start()
    try:
        yield ledger
    finally:
        await documents.stop()


def test_each_entry_names_the_one_before() -> None:
    _, entries = a_fold(GrantGiven(grant=a_grant()))
    assert [entry.epoch for entry in entries] == [1, 2]
    assert entries[0].previous_hash == "0" * 64
    assert entries[1].previous_hash == entries[0].hash


@pytest.mark.parametrize(
    "change",
    [
        {"by": "another"},
        {"epoch": 3},
        {"previous_hash": "1" * 64},
        {"hash": "2" * 64},
        {"salt": "3" * 32},
        {"key_id": "4" * 64},
        {"signature": "5" * 128},
        {"at": NOW + timedelta(seconds=1)},
        {"fact": GrantGiven(grant=a_grant(buyer_id="b2"))},
        {"fact": GrantGiven(grant=a_grant(purpose="another"))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_altered_entry_breaks_the_ledger(change: dict[str, object]) -> None:
    _, (key, entry) = a_fold(GrantGiven(grant=a_grant()))
    with pytest.raises(LedgerBroken):
        Fold([key, msgspec.structs.replace(entry, **change)])


def test_an_entry_reads_back_as_it_was_signed() -> None:
    _, entries = a_fold(GrantGiven(grant=a_grant(purpose="Zusammenarbeit ü 東", ends_on=TODAY)))
    assert Fold(msgspec.convert(msgspec.to_builtins(entries), list[Entry])).epoch == 2


def test_revoking_twice_says_it_once() -> None:
    fold, _ = a_fold(GrantGiven(grant=a_grant()))
    fact = revocation(fold, "g1")
    assert fact is not None
    fold.apply(signed_next(fold, fact))
    assert revocation(fold, "g1") is None


def test_what_begins_again_under_its_id_is_the_newest() -> None:
    """A buyer that is closed a second time comes before what was closed between."""
    closed, reopened = BuyerClosed(record_id="b1", buyer_id="b1"), BuyerReopened(record_id="b1", buyer_id="b1")
    fold, _ = a_fold(closed, BuyerClosed(record_id="b2", buyer_id="b2"), reopened, closed)
    assert [record.epoch for record in fold.records(EntryKind.BUYER_CLOSED)] == [5, 3]


def test_what_concerns_no_buyer_is_kept_for_none() -> None:
    fold, _ = a_fold(GroupJoined(factory_id="f1", group_id="m1"), GrantGiven(grant=a_grant()))
    assert list(fold.concerning("")) == []
    assert [entry.epoch for entry in fold.concerning("b1")] == [3]


def test_what_was_never_given_cannot_be_revoked() -> None:
    with pytest.raises(NotFound):
        revocation(Fold(), "g1")


def test_a_gateway_hears_no_person_and_no_purpose() -> None:
    _, (_, entry) = a_fold(GrantGiven(grant=a_grant(purpose="canary-purpose")))
    text = msgspec.json.encode(followed(entry)) + msgspec.json.encode(entry.fact.event(entry.epoch))
    assert b"canary-purpose" not in text
    assert b"someone" not in text


@pytest.mark.parametrize(("starts", "ends"), [(0, -1), (5, 4), (-9, -1), (4000, None), (-4000, None), (0, 4000)])
def test_the_days_of_a_grant_make_sense(starts: int, ends: int | None) -> None:
    ends_on = None if ends is None else TODAY + timedelta(ends)
    with pytest.raises(GrantDatesWrong):
        a_grant(starts_on=TODAY + timedelta(starts), ends_on=ends_on).checked(TODAY)


def test_a_grant_names_a_kind() -> None:
    with pytest.raises(Malformed):
        a_grant(kinds=()).checked(TODAY)


STEPS = st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.sampled_from("abcde")), min_size=1, max_size=14)


@settings(max_examples=25)
@given(STEPS, st.booleans())
async def test_writers_at_the_same_time_leave_one_chain(
    steps: list[tuple[int, bool, str]],
    are_together: bool,  # noqa: FBT001
) -> None:
    with TemporaryDirectory() as folder:
        async with two_writers(Path(folder)) as ledgers:

            async def write(writer: int, is_given: bool, name: str) -> None:  # noqa: FBT001
                def decide(fold: Fold) -> Fact | None:
                    if fold.record(name) is None:
                        return GrantGiven(grant=a_grant(name))
                    return None if is_given else revocation(fold, name)

                await ledgers[writer].append(decide, by=f"writer{writer}", at=NOW)

            if are_together:
                await asyncio.gather(*(write(*step) for step in steps))
            else:
                for step in steps:
                    await write(*step)
            folds = [await ledger.current() for ledger in ledgers]
        async with _process(Path(folder)) as fresh:
            recomputed = await fresh.current()
    for fold in folds:
        assert (fold.epoch, fold.hash) == (recomputed.epoch, recomputed.hash)
        assert list(fold.records()) == list(recomputed.records())
    assert {record.grant.id for record in recomputed.records()} == {name for _, _, name in steps}


class Silent:
    """A collection whose store is asked and never answers."""

    async def find(self, *_: object, **__: object) -> None:
        await asyncio.Event().wait()


async def test_nobody_stands_in_line_behind_a_store_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.access.store.ledger.PATIENCE_S", 0.1)
    async with _process(tmp_path) as ledger:
        collection = ledger._entries._collection
        ledger._entries._collection = Silent()  # type: ignore[assignment]
        give = (ledger.append(lambda _: GrantGiven(grant=a_grant()), by="w", at=NOW) for _ in range(30))
        async with asyncio.timeout(1.5):
            answers = await asyncio.gather(*give, return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoreUnavailable}
        ledger._entries._collection = collection
        await ledger.append(lambda _: GrantGiven(grant=a_grant()), by="w", at=NOW)


async def test_a_race_for_an_epoch_is_decided_again(tmp_path: Path) -> None:
    async with two_writers(tmp_path) as (first, second):
        decided: list[int] = []

        def decide(fold: Fold) -> Fact:
            decided.append(fold.epoch)
            return GrantGiven(grant=a_grant(f"g{len(decided)}"))

        written = 0
        while len(decided) <= written < 400:  # until two of them met
            await asyncio.gather(*(ledger.append(decide, by="w", at=NOW) for ledger in (first, second) * 5))
            written += 10
        assert (await first.current()).epoch == 1 + written
        assert len(decided) > written


async def test_what_is_refused_or_needless_going_by_what_is_known_is_decided_again_on_all_there_is(
    tmp_path: Path,
) -> None:
    async with two_writers(tmp_path) as (first, second):
        await second.append(lambda _: GrantGiven(grant=a_grant("g1")), by="w", at=NOW)
        await first.append(lambda _: GrantGiven(grant=a_grant("g2")), by="w", at=NOW)

        def withdraw(fold: Fold) -> Fact | None:
            if fold.record("g2") is None:
                raise NotFound("There is no such grant.")
            return revocation(fold, "g2")

        assert second.known.record("g2") is None
        await second.append(withdraw, by="w", at=NOW)
        await first.append(lambda fold: None if fold.record("g3") else GrantGiven(grant=a_grant("g3")), by="w", at=NOW)
        closed = BuyerClosed(record_id="b1", buyer_id="b1")
        told = await second.append(lambda fold: closed if fold.record("g3") else None, by="w", at=NOW)
        kinds = [entry.kind for entry in map(followed, told.after(0, limit=10))]
    assert kinds[1:] == [
        EntryKind.GRANT_GIVEN,
        EntryKind.GRANT_GIVEN,
        EntryKind.GRANT_REVOKED,
        EntryKind.GRANT_GIVEN,
        EntryKind.BUYER_CLOSED,
    ]


async def test_what_was_given_is_told_also_of_what_another_process_wrote(tmp_path: Path) -> None:
    async with two_writers(tmp_path) as (first, second):
        await second.current()
        await first.append(lambda _: GrantGiven(grant=a_grant("g1")), by="w", at=NOW)
        assert (await second.given("g1", Scope.whole("JO"))).id == "g1"
        for ledger in (first, second):
            with pytest.raises(NotFound):
                await ledger.given("g1", Scope(country="JO", factories=frozenset({"f2"})))
            with pytest.raises(NotFound):
                await ledger.given("g2", Scope.whole("JO"))

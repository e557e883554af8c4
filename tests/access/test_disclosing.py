"""What two decided reaches the ledger whatever breaks and whoever comes at the same time; its receipt proves it."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contracts.access import EntryKind
from contracts.errors import Malformed, Refusal
from contracts.identity import Role
from contracts.ledger import NotGenuine
from contracts.vocabulary import ReportKind
from services.access.domain.consent.agreed import SharingSuspended
from services.access.domain.consent.facts import DisclosureEnded, DisclosureMade, Fact, GrantGiven
from services.access.domain.consent.fold import Fold
from services.access.domain.disclosure import NEXT, Decision, DisclosureDecided, DisclosureRequest, Person
from services.access.domain.disclosure_receipt import TOLD_TO_FACTORY, disclosure_receipt_of, verified_disclosure
from services.access.domain.notice import NoticeKind, notices
from services.access.domain.receipt import verified_receipt
from services.access.domain.verification import canonical, line_of, verified_ledger
from services.access.store.disclosures import Disclosures
from services.access.usecases.disclosures import Disclosing
from services.access.usecases.grants import EVERYWHERE
from tests.access.commands import star
from tests.access.entries import (
    KEY,
    NOW,
    STRANGER,
    TODAY,
    a_fold,
    a_grant,
    a_receipt,
    bent_copies,
    lines_of,
    signed_next,
)
from tests.access.processes import Process, two_on_mongo, two_on_sqlite
from tests.support.services import a_principal

LENA = Person(subject="lena", role=Role.TEAM_LEADER, at=NOW)
AMIR = Person(subject="amir", role=Role.ADMINISTRATOR, at=NOW + timedelta(hours=1))
HEAD = a_principal(Role.ADMINISTRATOR, subject="amir")
LEADER = a_principal(Role.TEAM_LEADER, subject="lena")


def a_request(**fields: object) -> DisclosureRequest:
    told: dict[str, object] = {
        "id": "d1",
        "factory_id": "f1",
        "buyer_ids": ("b1", "b2"),
        "kinds": (ReportKind.ASSESSMENT,),
        "cycles": (2,),
        "ends_on": TODAY + timedelta(days=30),
        "case": "ZT-7",
        "reason": "Imminent danger on the third floor ü",
        "asked": LENA,
        "asked_ms": 1,
    }
    return DisclosureRequest(**{**told, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("present", Decision)
@pytest.mark.parametrize("wanted", [Decision.CONFIRMED, Decision.REFUSED])
def test_only_what_waits_can_be_decided(present: Decision, wanted: Decision) -> None:
    request = a_request(decision=present, decided=AMIR)

    def decide() -> DisclosureRequest:
        is_confirmed = wanted is Decision.CONFIRMED
        return request.confirmed(AMIR, TODAY) if is_confirmed else request.refused(AMIR, "Not a case")

    if wanted is present or wanted in NEXT[present]:
        assert decide().decision is wanted
        return
    with pytest.raises(DisclosureDecided):
        decide()


@pytest.mark.parametrize(
    ("by", "today", "code"),
    [
        (msgspec.structs.replace(AMIR, at=NOW + timedelta(hours=24)), TODAY, "disclosure_expired"),
        (AMIR, TODAY + timedelta(days=31), "disclosure_expired"),
        (msgspec.structs.replace(AMIR, subject="lena"), TODAY, "second_person_needed"),
    ],
    ids=["after a day", "after the last day", "the same person"],
)
def test_a_late_or_own_confirmation_is_refused(by: Person, today: object, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        a_request().confirmed(by, today)  # type: ignore[arg-type]
    assert refused.value.code == code
    in_time = msgspec.structs.replace(AMIR, at=NOW + timedelta(hours=23))
    assert a_request().confirmed(in_time, TODAY).decision is Decision.CONFIRMED


@pytest.mark.parametrize("days", [-1, 91])
def test_a_disclosure_is_for_a_while(days: int) -> None:
    with pytest.raises(Malformed):
        a_request(ends_on=TODAY + timedelta(days=days)).checked(TODAY)
    last = TODAY + timedelta(days=90)
    assert a_request(ends_on=last).checked(TODAY).ends_on == last


class Programme(Process):
    """One process of access that discloses."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.store = Disclosures(self.documents, source="JO/access", relay=self.relay)
        zone = ZoneInfo("Asia/Amman")
        self.disclosing = Disclosing(self.store, self.parties, self.ledger, self.consent, zone=zone)

    async def attempt(self, act: str) -> str:
        """What came of it: ``done``, or the code of the refusal."""
        now = NOW + timedelta(hours=2)
        try:
            match act:
                case "confirm":
                    await self.disclosing.confirm(HEAD, "d1", now=now)
                case "refuse":
                    await self.disclosing.refuse(HEAD, "d1", "Not a case", now=now)
                case "end":
                    await self.disclosing.end(LEADER, "d1", now=now)
                case _:
                    await self.disclosing.sweep(now=now)
        except Refusal as refusal:
            return refusal.code
        return "done"


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.servers)])
async def programmes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Programme]]:
    """Two processes on one store, where a disclosure waits for the second person."""
    is_sqlite = request.param == "sqlite"
    url = "" if is_sqlite else request.getfixturevalue("mongo_url")
    async with two_on_sqlite(tmp_path, Programme) if is_sqlite else two_on_mongo(url, Programme) as found:
        await found[0].store.add(a_request().checked(TODAY), body=None)
        yield found


def made(fold: Fold) -> dict[str, bool]:
    """By buyer whether what was disclosed to it stands."""
    return {record.buyer_id: record.ended_epoch is None for record in fold.records(EntryKind.DISCLOSURE_MADE)}


@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("who", ["confirm", "sweep"])
async def test_a_crash_behind_the_confirmation_leaves_nothing_out(
    programmes: list[Programme], written: int, who: str
) -> None:
    crashed, fresh = programmes
    request = await crashed.store.change("d1", lambda present: present.confirmed(AMIR, TODAY))
    for disclosure in request.disclosures()[:written]:
        fact = DisclosureMade(disclosure=disclosure)
        await crashed.ledger.append(lambda _, fact=fact: fact, by="amir", at=NOW)  # type: ignore[misc]
    assert await fresh.attempt(who) == "done"
    fold = await fresh.ledger.current()
    assert made(fold) == {"b1": True, "b2": True}
    assert sum(entry.fact.kind is EntryKind.DISCLOSURE_MADE for entry in fold.after(0, limit=99)) == 2
    assert len(list(notices(fold))) == 2
    assert await fresh.store.unfinished(EVERYWHERE, limit=9) == []


@pytest.mark.parametrize("written", [0, 1])
async def test_an_end_before_everything_was_made_leaves_nothing_standing_ever(
    programmes: list[Programme], written: int
) -> None:
    slow, fast = programmes
    request = await slow.store.change("d1", lambda present: present.confirmed(AMIR, TODAY))
    for disclosure in request.disclosures()[:written]:
        await slow.disclosing._make(disclosure, now=NOW)
    assert await fast.attempt("end") == "done"
    await slow.disclosing._finish(request, now=NOW)  # as it had been read before the end
    assert made(await slow.ledger.current()) == {"b1": False, "b2": False}


@pytest.mark.parametrize("seed", range(12))
async def test_of_many_who_decide_at_the_same_time_one_decision_stands(programmes: list[Programme], seed: int) -> None:
    rng = random.Random(seed)
    acts = [rng.choice(["confirm", "refuse", "end", "sweep"]) for _ in range(10)]
    await asyncio.gather(*(programmes[number % 2].attempt(act) for number, act in enumerate(acts)))
    request = await programmes[0].store.get("d1", EVERYWHERE)
    fold = await programmes[0].ledger.current()
    if request.decision is Decision.CONFIRMED:
        assert set(made(fold)) == {"b1", "b2"}
        assert len(set(made(fold).values())) == 1
    else:
        assert made(fold) == {}


def a_disclosed_fold(*, is_ended: bool = False) -> Fold:
    """A ledger with a disclosure to two buyers among other things."""
    request = a_request().confirmed(AMIR, TODAY)
    facts: list[Fact] = [GrantGiven(grant=a_grant())]
    facts += [DisclosureMade(disclosure=each) for each in request.disclosures()]
    if is_ended:
        facts += [
            DisclosureEnded(record_id=each.id, factory_id="f1", buyer_id=each.buyer_id)
            for each in request.disclosures()
        ]
    return a_fold(*facts)[0]


def the_receipt(fold: Fold, names: frozenset[str] | None = TOLD_TO_FACTORY) -> bytes:
    records = list(fold.records(EntryKind.DISCLOSURE_MADE))
    entries = {entry.epoch: entry for record in records for entry in fold.evidence(record)}
    return canonical(disclosure_receipt_of([line_of(entries[epoch], names) for epoch in sorted(entries)]))


def test_a_receipt_tells_what_was_disclosed_and_names_no_person_and_no_case() -> None:
    content = the_receipt(a_disclosed_fold(is_ended=True))
    found = verified_disclosure(content, anchor=KEY.id)
    assert (found.record_id, found.buyer_ids, found.lawful_basis) == ("d1", ("b1", "b2"), "zero_tolerance_protocol")
    assert (found.requested_as, found.confirmed_as) == ("team_leader", "administrator")
    assert [event.event_state for event in found.events] == ["disclosed"] * 2 + ["disclosure ended"] * 2
    for secret in (b"lena", b"amir", b"ZT-7"):
        assert secret not in content
        assert secret in the_receipt(a_disclosed_fold(), None)


def test_a_receipt_holds_what_the_ledger_holds() -> None:
    fold = a_disclosed_fold(is_ended=True)
    noted = {event.epoch: event.hash for event in verified_disclosure(the_receipt(fold)).events}
    assert verified_ledger(lines_of(fold.after(0, limit=99)), anchor=KEY.id, noted=noted).epoch == fold.epoch


@pytest.mark.timeout(180)
def test_a_change_of_any_byte_of_a_receipt_is_rejected() -> None:
    content = the_receipt(a_disclosed_fold(is_ended=True))
    verified_disclosure(content)
    for where, bent in bent_copies(content):
        with pytest.raises(NotGenuine):
            pytest.fail(f"{where}: {verified_disclosure(bent)}")


def test_neither_kind_of_receipt_passes_for_the_other() -> None:
    fold = a_disclosed_fold()
    with pytest.raises(NotGenuine):
        verified_receipt(the_receipt(fold))
    with pytest.raises(NotGenuine):
        verified_disclosure(a_receipt(fold))
    with pytest.raises(NotGenuine, match="another key"):
        verified_disclosure(the_receipt(fold), anchor=STRANGER.id)


def test_two_disclosures_are_not_one_receipt() -> None:
    other = a_request(id="d2", buyer_ids=("b3",)).confirmed(AMIR, TODAY)
    fold = a_disclosed_fold()
    fold.apply(signed_next(fold, DisclosureMade(disclosure=other.disclosures()[0])))
    with pytest.raises(NotGenuine, match="more than one"):
        the_receipt(fold)


def test_a_factory_is_told_of_consents_from_paper_and_of_suspensions_and_of_nothing_it_did_itself() -> None:
    fold, _ = a_fold(
        GrantGiven(grant=a_grant()),
        GrantGiven(grant=a_grant("g2", document_sha256="0" * 64)),
        SharingSuspended(record_id="a1", factory_id="f1", buyer_id="b1", reason="canary-reason"),
    )
    found = list(notices(fold))
    assert [each.kind for each in found] == [NoticeKind.SHARING_SUSPENDED, NoticeKind.CONSENT_RECORDED]
    assert b"canary" not in msgspec.json.encode(found)


@pytest.mark.filterwarnings("ignore:Cyclopts:UserWarning")
def test_the_command_that_verifies_receipts_tells_what_was_disclosed_without_consent(tmp_path: Path) -> None:
    fold = a_disclosed_fold()
    receipt, ledger = tmp_path / "receipt", tmp_path / "ledger"
    receipt.write_bytes(the_receipt(fold))
    ledger.write_bytes(b"".join(lines_of(fold.after(0, limit=99))))
    done = star("verify-receipt", receipt, "--anchor", KEY.id)
    assert "Genuine: disclosure d1, without consent: zero_tolerance_protocol." in done.stdout, done.stderr
    assert star("verify-ledger", ledger, "--receipt", receipt).returncode == 0
    receipt.write_bytes(the_receipt(fold).replace(b"third floor", b"other floor"))
    assert star("verify-receipt", receipt).returncode == 1

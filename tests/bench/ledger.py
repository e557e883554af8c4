"""A ledger of many grants, as a gateway receives it."""

from collections.abc import Iterator
from datetime import date

from contracts.access import ConsentEntry, EntryKind
from contracts.vocabulary import ReportKind

BUYER, FACTORY = "buyer-0", "factory-0000000"
KINDS = tuple(ReportKind)
BEGAN = date(2020, 1, 1)


def buyer(number: int) -> str:
    """A buyer's id."""
    return f"buyer-{number}"


def factory(number: int) -> str:
    """A factory's id."""
    return f"factory-{number:07d}"


def entries(grants: int, *, buyers: int) -> Iterator[ConsentEntry]:
    """Partners, and grants to them without an end for all kinds, spread evenly, each to a factory of its own."""
    previous = "0" * 64
    for number in range(buyers):
        yield _entry(number, previous, EntryKind.ENTITLEMENT_GIVEN, f"partner-{number}", buyer(number), "")
        previous = hash_of(number + 1)
    for number in range(grants):
        position = buyers + number
        yield given(position, previous, buyer_id=buyer(number % buyers), factory_id=factory(number // buyers))
        previous = hash_of(position + 1)


def changed(epoch: int, previous: str) -> ConsentEntry:
    """One grant more to the first buyer, behind a ledger that ends at an epoch with a hash."""
    return given(epoch, previous, buyer_id=BUYER, factory_id=FACTORY)


def given(number: int, previous: str, *, buyer_id: str, factory_id: str) -> ConsentEntry:
    """The grant behind ``number`` other entries."""
    kind = EntryKind.GRANT_GIVEN
    return _entry(number, previous, kind, f"grant-{number:07d}", buyer_id, factory_id, kinds=KINDS)


def _entry(
    number: int,
    previous: str,
    kind: EntryKind,
    record_id: str,
    buyer_id: str,
    factory_id: str,
    *,
    kinds: tuple[ReportKind, ...] = (),
) -> ConsentEntry:
    return ConsentEntry(
        epoch=number + 1,
        previous_hash=previous,
        hash=hash_of(number + 1),
        kind=kind,
        grant_id=record_id,
        factory_id=factory_id,
        buyer_id=buyer_id,
        kinds=kinds,
        starts_on=BEGAN,
    )


def hash_of(epoch: int) -> str:
    """A hash of the right length; nobody looks inside."""
    return f"{epoch:064x}"

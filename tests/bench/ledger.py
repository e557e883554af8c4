"""A ledger of many grants, as a gateway receives it."""

from collections.abc import Iterator
from datetime import date

from contracts.access import ConsentEntry, EntryKind
from contracts.vocabulary import ReportKind

BUYER, FACTORY = "buyer-0", "factory-0000000"
KINDS = tuple(ReportKind)
BEGAN = date(2020, 1, 1)
CYCLE = 3
PARTNERS_OF_TEN = 7


def buyer(number: int) -> str:
    """A buyer's id."""
    return f"buyer-{number}"


def factory(number: int) -> str:
    """A factory's id."""
    return f"factory-{number:07d}"


def entries(grants: int, *, buyers: int) -> Iterator[ConsentEntry]:
    """Grants without an end for all kinds, spread evenly, each of a factory of its own.

    Seven buyers of ten are partners. The others are participants, who paid for one cycle of each of their factories.
    """
    position, previous = 0, "0" * 64
    for number in range(grants + buyers):
        about, factory_id = buyer(number % buyers), factory(number // buyers - 1)
        if number < buyers and not _participates(number):
            yield _paid(position, previous, about)
        elif number >= buyers:
            if _participates(number % buyers):
                yield _paid(position, previous, about, factory_id=factory_id, cycles=(CYCLE,))
                position, previous = position + 1, hash_of(position + 1)
            yield given(position, previous, buyer_id=about, factory_id=factory_id)
        else:
            continue
        position, previous = position + 1, hash_of(position + 1)


def _participates(number: int) -> bool:
    return number % 10 >= PARTNERS_OF_TEN


def _paid(
    number: int, previous: str, buyer_id: str, *, factory_id: str = "", cycles: tuple[int, ...] = ()
) -> ConsentEntry:
    record_id = f"paid-{number:07d}"
    return _entry(
        number, previous, EntryKind.ENTITLEMENT_GIVEN, record_id, buyer_id, factory_id=factory_id, cycles=cycles
    )


def changed(epoch: int, previous: str) -> ConsentEntry:
    """One grant more to the first buyer, behind a ledger that ends at an epoch with a hash."""
    return given(epoch, previous, buyer_id=BUYER, factory_id=FACTORY)


def given(number: int, previous: str, *, buyer_id: str, factory_id: str) -> ConsentEntry:
    """The grant behind ``number`` other entries."""
    kind = EntryKind.GRANT_GIVEN
    return _entry(number, previous, kind, f"grant-{number:07d}", buyer_id, factory_id=factory_id, kinds=KINDS)


def _entry(
    number: int,
    previous: str,
    kind: EntryKind,
    record_id: str,
    buyer_id: str,
    *,
    factory_id: str,
    kinds: tuple[ReportKind, ...] = (),
    cycles: tuple[int, ...] = (),
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
        cycles=cycles,
        starts_on=BEGAN,
    )


def hash_of(epoch: int) -> str:
    """A hash of the right length; nobody looks inside."""
    return f"{epoch:064x}"

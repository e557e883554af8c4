"""Processes of access below their HTTP routes, several on one store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from services.access.domain.buyer import Buyer
from services.access.domain.party import Factory
from services.access.store.agreements import Agreements
from services.access.store.charge import Charge
from services.access.store.ledger import Keys, Ledger
from services.access.store.organisations import Organisations, TermsRecords
from services.access.store.parties import Buyers, Factories
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.bus import RetryPolicy
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents import Documents
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.relay import Relay
from tests.access.entries import KEY

LEASE_S = 0.2
F1 = Factory(id="f1", original_id="f1", name="f1", country="JO", industry="C14", time_zone="Asia/Amman")
P = TypeVar("P", bound="Process")


class Process:
    """One process of access, with a memory of its own; its documents are not started."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.relay = Relay(InProcessBus(documents.collection("messages", INDEXES), RetryPolicy()), scan_every_s=60)
        self.ledger = Ledger(documents, keys=Keys(current=KEY), source="JO/access", relay=self.relay)
        self.consent = Consent(self.ledger, Charge(documents, lease_s=LEASE_S), lease_s=LEASE_S)
        factories = Factories(documents, source="JO/access", relay=self.relay)
        self.buyers = Buyers(documents, source="JO/access", relay=self.relay)
        organisations = Organisations(documents, source="JO/access", relay=self.relay)
        agreements = Agreements(documents, source="JO/access", relay=self.relay)
        terms = TermsRecords(documents, source="JO/access", relay=self.relay)
        self.parties = Parties(factories, self.buyers, organisations, agreements, terms)


@asynccontextmanager
async def started(*processes: P) -> AsyncIterator[list[P]]:
    """The processes with their stores open, a buyer b1 and a factory f1."""
    async with AsyncExitStack() as stack:
        for process in processes:
            await process.documents.start()
            stack.push_async_callback(process.documents.stop)
        await processes[0].parties.buyers.register(Buyer(id="b1", name="b1"), request=None)
        await processes[0].parties.factories.register(F1, request=None)
        yield list(processes)


@asynccontextmanager
async def two_on_sqlite(folder: Path, make: type[P]) -> AsyncIterator[list[P]]:
    """Two processes on one file."""
    async with started(*(make(SqliteDocuments(folder / "access.sqlite")) for _ in range(2))) as found:
        yield found


@asynccontextmanager
async def two_on_mongo(url: str, make: type[P]) -> AsyncIterator[list[P]]:
    """Two processes on a database of their own."""
    from services.runtime.documents.mongo import MongoDocuments  # noqa: PLC0415 - heavy, and not for every run

    name = f"star_test_{uuid4().hex}"
    stores = [MongoDocuments(url, name) for _ in range(2)]
    async with started(*map(make, stores)) as found:
        yield found
        await stores[0]._client.drop_database(name)

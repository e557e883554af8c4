"""Organisations and terms as documents; every read takes a ``Scope``."""

from contracts.errors import NotFound
from contracts.identity import Scope
from services.access.domain.organisation import Organisation, OrganisationKind
from services.access.domain.terms import Terms, TermsAcceptance
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, Index
from services.runtime.relay import Relay


class Organisations:
    """The groups, vendors, agents and ministries, which are no secret among those who may read them at all."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        collection = documents.collection("organisations", (Index(("state.name",)),))
        self._organisations = Aggregates(collection, Organisation, source=source, relay=relay)

    async def get(self, organisation_id: str, scope: Scope) -> Organisation:
        """Read one; raises ``NotFound``; a vendor or agent itself sees no other."""
        if scope.buyer_id not in {None, organisation_id}:
            raise NotFound("There is no such organisation.")
        return (await self._organisations.get(organisation_id)).state

    async def find(
        self, scope: Scope, *, kind: OrganisationKind | None, limit: int, after: str | None
    ) -> Found[Organisation]:
        """Read one page by name; raises ``InvalidCursor``."""
        where: dict[str, object] = {} if scope.buyer_id is None else {"_id": scope.buyer_id}
        if kind is not None:
            where["state.kind"] = kind.value
        return await self._organisations.find(where or None, sort=[("state.name", 1)], limit=limit, after=after)

    async def register(self, organisation: Organisation, *, request: object) -> None:
        """Store a new organisation; raises ``Conflict`` when its id is taken."""
        await self._organisations.create(organisation.id, organisation.registered(), request=request)


class TermsRecords:
    """The versions of the terms, which everybody may know, and who accepted them."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        versions = documents.collection("terms", (Index(("state.published_at",)),))
        self._versions = Aggregates(versions, Terms, source=source, relay=relay)
        indexes = (Index(("state.party_id", "state.accepted_at")), Index(("state.accepted_at",)))
        acceptances = documents.collection("terms_acceptances", indexes)
        self._acceptances = Aggregates(acceptances, TermsAcceptance, source=source, relay=relay)

    async def get_version(self, version: str, _: Scope) -> Terms:
        """Read a version; raises ``NotFound``."""
        return (await self._versions.get(version)).state

    async def find_newest(self, _: Scope) -> Terms | None:
        """Read the version that was published last."""
        found = await self._versions.find(sort=[("state.published_at", -1)], limit=1)
        return found.items[0] if found.items else None

    async def find_versions(self, _: Scope, *, limit: int, after: str | None) -> Found[Terms]:
        """Read one page of the versions, newest first; raises ``InvalidCursor``."""
        return await self._versions.find(sort=[("state.published_at", -1)], limit=limit, after=after)

    async def publish(self, terms: Terms) -> Terms:
        """Store a new version, or the document of one that has none; raises ``Conflict`` when it has another text."""
        text = {"version": terms.version, "document_sha256": terms.document_sha256}
        if await self._versions.create(terms.version, terms, request=text):
            return terms
        return await self._versions.change(terms.version, lambda present: (present.with_document(terms.document), ()))

    async def get(self, acceptance_id: str, scope: Scope) -> TermsAcceptance:
        """Read an acceptance; raises ``NotFound`` for what is absent or another party's."""
        found = (await self._acceptances.get(acceptance_id)).state
        if scope.buyer_id != found.party_id and not (scope.buyer_id is None and scope.covers(found.party_id)):
            raise NotFound("There is no such acceptance.")
        return found

    async def find(self, scope: Scope, *, limit: int, after: str | None) -> Found[TermsAcceptance]:
        """Read one page of the acceptances of the scope's party, newest first; raises ``InvalidCursor``."""
        where: dict[str, object] | None = None
        if scope.buyer_id is not None:
            where = {"state.party_id": scope.buyer_id}
        elif scope.factories is not None:
            where = {"state.party_id": {"$in": sorted(scope.factories)}}
        return await self._acceptances.find(where, sort=[("state.accepted_at", -1)], limit=limit, after=after)

    async def accept(self, acceptance: TermsAcceptance, *, request: object) -> None:
        """Store an acceptance; the same again changes nothing; raises ``Conflict`` for another one."""
        await self._acceptances.create(acceptance.id, acceptance, request=request)

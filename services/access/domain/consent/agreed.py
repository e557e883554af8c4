"""What an entry on the ledger can say of an agreement: that it is suspended, no longer suspended, or over."""

from contracts.access import EntryKind
from contracts.events import Event
from contracts.sharing import SharingResumedV1, SharingSuspendedV1
from services.access.domain.consent.said import About


class SharingSuspended(About, frozen=True, tag=EntryKind.SHARING_SUSPENDED.value):
    """The agreement ``record_id`` is suspended: nothing is shared between the two for the time being.

    ``sides`` are those who want it so; another entry tells when that changes, and the sharing goes on without any.
    """

    sides: tuple[str, ...] = ()

    def sealed(self) -> dict[str, str]:
        """The reason, and the sides."""
        return {**super().sealed(), "sides": ",".join(self.sides)}

    def event(self, epoch: int) -> Event:
        """The suspension."""
        return SharingSuspendedV1(
            agreement_id=self.record_id, factory_id=self.factory_id, buyer_id=self.buyer_id, epoch=epoch
        )


class SharingResumed(About, frozen=True, tag=EntryKind.SHARING_RESUMED.value):
    """The agreement ``record_id`` is no longer suspended."""

    def event(self, epoch: int) -> Event:
        """The resumption."""
        return SharingResumedV1(
            agreement_id=self.record_id, factory_id=self.factory_id, buyer_id=self.buyer_id, epoch=epoch
        )


class AgreementEnded(About, frozen=True, tag=EntryKind.AGREEMENT_ENDED.value):
    """The agreement ``record_id`` was terminated: no grant that is given later rests on it."""

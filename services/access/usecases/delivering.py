"""Telling the receivers of webhooks what changed for them: the background work of the process in charge.

NOTE: what is sent is decided when it is sent, inside ``Consent.deciding``: a right that ended is not told of any more,
and once a revocation was answered nothing is sent that it forbids. Everything that was not confirmed is sent again,
under the same id, also after a crash.
"""

import asyncio
import contextlib
import functools
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import NotFound, Refusal
from contracts.identity import Scope
from contracts.visibility import seen
from services.access.domain.consent.fold import Fold
from services.access.domain.webhook import (
    Endpoint,
    Outgoing,
    Truth,
    truth,
)
from services.access.store.changes import Journal
from services.access.store.charge import NotInCharge
from services.access.store.ledger import Ledger
from services.access.store.receivers import Answered, NotSent, Receivers
from services.access.store.webhooks import Webhooks
from services.access.usecases.consent import Consent
from services.access.usecases.telling import Telling
from services.access.usecases.webhooks import sync_needed
from services.runtime.periodic import Periodic
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 4
"""How many messages are on their way to one endpoint at a time."""

AT_ONCE_TO_A_BUYER: Final = 16
AT_ONCE_IN_ALL: Final = 256

_DAY: Final = timedelta(days=1)
_LATER: Final = timedelta(seconds=5)


class _NotToBeTold(Exception):
    """The buyer may not see any more what the message is about, or its endpoint is gone."""


class _OnlyPartlyTrue(Exception):
    """A message about every cycle holds for some of them by now: the changes feed tells for which."""


class Delivering:
    """Turns what changed into messages, and sends them; what runs beside the requests of access."""

    def __init__(
        self,
        webhooks: Webhooks,
        journal: Journal,
        ledger: Ledger,
        consent: Consent,
        receivers: Receivers,
        *,
        country: str,
        zone: ZoneInfo,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._webhooks = webhooks
        self._consent = consent
        self._receivers = receivers
        self._whole = Scope.whole(country)
        self._zone = zone
        self._clock = clock
        self._looking = Periodic("webhooks", self.look, every_s=LOOK_EVERY_S)
        self._telling = Telling(webhooks, journal, ledger, country=country, zone=zone, clock=clock)
        self._swept_at = datetime.min.replace(tzinfo=UTC)
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._to_endpoints: Counter[str] = Counter()
        self._to_buyers: Counter[str] = Counter()

    async def start(self) -> None:
        """Begin to look for what changed."""
        await self._looking.start()

    async def stop(self) -> None:
        """End; what is not confirmed is sent again after the next start."""
        await self._looking.stop()
        for task in list(self._sending.values()):
            task.cancel()
        await self.sent()

    async def sent(self) -> None:
        """Return when everything that is being sent has come to an end."""
        await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def look(self) -> None:
        """Make messages of what changed, and begin to send those whose time has come."""
        try:
            await self._consent.check_in_charge()
        except NotInCharge:
            return
        await self._sweep()
        endpoints = await self._webhooks.enabled()
        await self._telling.tell(endpoints)
        for endpoint in endpoints:
            await self._send_due(endpoint)

    async def _sweep(self) -> None:
        """Once a day: what is younger may belong to an endpoint that is just being enabled."""
        now = self._clock()
        if now >= self._swept_at + _DAY:
            await self._webhooks.sweep(before=now - _DAY)
            self._swept_at = now

    async def _send_due(self, endpoint: Endpoint) -> None:
        """Begin to send some of what is due to an endpoint, unless it asked to be left alone."""
        now = self._clock()
        room = self._room(endpoint)
        if room <= 0 or (endpoint.paused_until is not None and now < endpoint.paused_until):
            return
        were_sent = set(self._sending)  # what of these ends while the store is asked may be found as it was before
        due = await self._webhooks.due(endpoint.id, now=now, limit=AT_ONCE)
        new = [each for each in due if each.id not in were_sent and each.id not in self._sending]
        for message in new[:room]:
            task = asyncio.create_task(self._send(message), name="webhook")
            self._sending[message.id] = task
            self._to_endpoints[endpoint.id] += 1
            self._to_buyers[endpoint.buyer_id] += 1
            task.add_done_callback(functools.partial(self._done, message.id, endpoint))

    def _room(self, endpoint: Endpoint) -> int:
        """How many messages more may be on their way to an endpoint, so that no buyer takes the room of another."""
        return min(
            AT_ONCE - self._to_endpoints[endpoint.id],
            AT_ONCE_TO_A_BUYER - self._to_buyers[endpoint.buyer_id],
            AT_ONCE_IN_ALL - len(self._sending),
        )

    def _done(self, message_id: str, endpoint: Endpoint, _: asyncio.Task[None]) -> None:
        del self._sending[message_id]
        self._to_endpoints[endpoint.id] -= 1
        self._to_buyers[endpoint.buyer_id] -= 1

    async def _send(self, message: Outgoing) -> None:
        """Send one message and note what came of it."""
        try:
            endpoint = await self._webhooks.get(message.endpoint_id, self._whole)
            await self._attempt(endpoint, message)
        except (_NotToBeTold, NotFound):
            await self._webhooks.drop(message.id)
        except (Refusal, StoreUnavailable) as error:  # nothing was sent, and the receiver is not to blame
            logger.info("webhook will be sent later", extra={"reason": type(error).__name__})
            with contextlib.suppress(Refusal, StoreUnavailable):
                await self._webhooks.postpone(msgspec.structs.replace(message, due_at=self._clock() + _LATER))
        except Exception as error:
            logger.exception("webhook", exc_info=error)
            with contextlib.suppress(Refusal, StoreUnavailable):
                await self._failed(message, "something went wrong on our side")

    def _check(self, fold: Fold, endpoint: Endpoint, message: Outgoing) -> None:
        """Return when a message still is true: what it shows may be seen, and what it withdraws may not."""
        about = message.about
        if about.factory_id is None:
            return
        match truth(about, seen(fold.visible.buyer(endpoint.buyer_id), about.factory_id, self._today())):
            case Truth.PART:
                raise _OnlyPartlyTrue
            case Truth.NONE:
                raise _NotToBeTold

    async def _attempt(self, endpoint: Endpoint, message: Outgoing) -> None:
        headers = endpoint.headers(message.id, message.body, now=self._clock())

        @contextlib.asynccontextmanager
        async def deciding() -> AsyncIterator[None]:
            async with self._consent.deciding() as fold:
                self._check(fold, endpoint, message)
                yield

        try:
            answered = await self._receivers.send(
                endpoint.url, headers, message.body, deciding, whose=endpoint.buyer_id
            )
        except _OnlyPartlyTrue:
            await self._webhooks.put(sync_needed(endpoint, f"instead of {message.id}", now=self._clock()))
            await self._webhooks.drop(message.id)
            return
        except NotSent as error:
            await self._failed(message, str(error))
            return
        await self._answered(endpoint, message, answered)

    async def _answered(self, endpoint: Endpoint, message: Outgoing, answered: Answered) -> None:
        now = self._clock()
        if 200 <= answered.status < 300:
            await self._webhooks.drop(message.id)
            await self._webhooks.change(
                endpoint.id, self._whole, lambda found: msgspec.structs.replace(found, delivered_at=now)
            )
        elif answered.status == 410:
            await self._disable(message.endpoint_id, "it answered 410 Gone", now)
        else:
            await self._failed(message, f"it answered {answered.status}", answered.pause)

    async def _failed(self, message: Outgoing, why: str, pause: timedelta | None = None) -> None:
        now = self._clock()
        again = message.again(now=now, jitter=secrets.randbelow(1_000) / 1_000)
        if again is None:
            because = f"a message failed for more than three days; the last time {why}"
            await self._disable(message.endpoint_id, because, now)
            return
        await self._webhooks.postpone(again)
        await self._webhooks.change(
            message.endpoint_id, self._whole, lambda endpoint: endpoint.failed(why, now=now, pause=pause)
        )

    async def _disable(self, endpoint_id: str, why: str, now: datetime) -> None:
        await self._webhooks.change(endpoint_id, self._whole, lambda endpoint: endpoint.disabled(why, now=now))
        await self._webhooks.drop_all(endpoint_id)

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()

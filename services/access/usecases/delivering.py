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
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import NotFound, Refusal
from contracts.identifiers import derived_id
from contracts.identity import Scope
from contracts.visibility import seen
from services.access.domain.consent.fold import Fold
from services.access.domain.sharing import Point, Sight, changes
from services.access.domain.webhook import (
    Endpoint,
    MessageType,
    Outgoing,
    Truth,
    about_document,
    truth,
    turns,
)
from services.access.store.changes import Journal
from services.access.store.charge import NotInCharge
from services.access.store.ledger import Ledger
from services.access.store.receivers import Answered, NotSent, Receivers
from services.access.store.webhooks import Webhooks
from services.access.usecases.consent import Consent
from services.access.usecases.webhooks import sync_needed
from services.runtime.periodic import Periodic
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 4
"""How many messages are on their way to one endpoint at a time."""

MOST_DOCUMENTS: Final = 200
"""Of more changed documents than this, at one time, an endpoint is told to read the changes feed instead."""

MOST_WAITING: Final = 1_000
"""While more messages than this wait for an endpoint nothing new is put beside them: it is told later, all in one."""

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
        self._journal = journal
        self._ledger = ledger
        self._consent = consent
        self._receivers = receivers
        self._whole = Scope.whole(country)
        self._zone = zone
        self._clock = clock
        self._looking = Periodic("webhooks", self.look, every_s=LOOK_EVERY_S)
        self._looked: dict[str, Point] = {}
        self._paused: dict[str, datetime] = {}
        self._sending: dict[str, tuple[str, asyncio.Task[None]]] = {}

    async def start(self) -> None:
        """Begin to look for what changed."""
        await self._looking.start()

    async def stop(self) -> None:
        """End; what is not confirmed is sent again after the next start."""
        await self._looking.stop()
        for _, task in list(self._sending.values()):
            task.cancel()
        await self.sent()

    async def sent(self) -> None:
        """Return when everything that is being sent has come to an end."""
        await asyncio.gather(*(task for _, task in self._sending.values()), return_exceptions=True)

    async def look(self) -> None:
        """Make messages of what changed, and begin to send those whose time has come."""
        try:
            await self._consent.check_in_charge()
        except NotInCharge:
            return
        endpoints = await self._webhooks.enabled()
        if not endpoints:
            return
        last_change = (await self._journal.current()).last
        fold = await self._ledger.current()
        here = Point(last_change, fold.epoch, fold.hash, self._today())
        for endpoint in endpoints:
            with contextlib.suppress(NotFound):  # removed just now
                await self._tell(endpoint, fold, here)
                await self._send_due(endpoint)

    async def _tell(self, endpoint: Endpoint, fold: Fold, here: Point) -> None:
        """Make messages of what changed for an endpoint up to here; where it was left by a crash, from there."""
        if endpoint.until is None and self._looked.get(endpoint.id, endpoint.since) == here:
            return
        until = endpoint.until or here
        messages = list(self._messages(endpoint, fold, until))
        if endpoint.until is None:
            if not messages:
                self._looked[endpoint.id] = here
                return
            if await self._webhooks.waiting(endpoint.id) > MOST_WAITING:
                return
            await self._change(endpoint, until=until)
        for message in messages:
            await self._webhooks.put(message)
        try:
            await self._change(endpoint, since=until, until=None)
        except NotFound:
            await self._webhooks.drop_all(endpoint.id)
            raise
        self._looked[endpoint.id] = until

    def _messages(self, endpoint: Endpoint, fold: Fold, until: Point) -> list[Outgoing]:
        since, now = endpoint.since, self._clock()
        entries = fold.concerning(endpoint.buyer_id)
        sight = Sight(entries, since=since, until=until, today=max(until.day, self._today()), zone=self._zone)
        found = changes(self._journal.documents(), sight, since, until)
        told = [(MessageType.DOCUMENT_CHANGED, about_document(document)) for document, is_seen in found if is_seen]
        here = f"{until.change} {until.epoch} {until.day}"
        if len(told) > MOST_DOCUMENTS and MessageType.DOCUMENT_CHANGED in endpoint.types:
            return [sync_needed(endpoint, here, now=now)]
        return [
            Outgoing(
                id=derived_id("webhook", endpoint.id, here, kind, msgspec.json.encode(about).decode()),
                endpoint_id=endpoint.id,
                type=kind,
                about=about,
                at=now,
                due_at=now,
            )
            for kind, about in (*turns(sight), *told)
            if kind in endpoint.types
        ]

    async def _send_due(self, endpoint: Endpoint) -> None:
        """Begin to send some of what is due to an endpoint, unless it asked to be left alone."""
        now = self._clock()
        if self._paused.get(endpoint.id, now) > now:
            return
        running = sum(endpoint_id == endpoint.id for endpoint_id, _ in self._sending.values())
        if running >= AT_ONCE:
            return
        due = await self._webhooks.due(endpoint.id, now=now, limit=AT_ONCE)
        for message in [each for each in due if each.id not in self._sending][: AT_ONCE - running]:
            task = asyncio.create_task(self._send(message), name="webhook")
            self._sending[message.id] = (endpoint.id, task)
            task.add_done_callback(functools.partial(self._done, message.id))

    def _done(self, message_id: str, _: asyncio.Task[None]) -> None:
        self._sending.pop(message_id, None)

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
                await self._failed(message, "something went wrong on our side", None)

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
            await self._failed(message, str(error), None)
            return
        await self._answered(endpoint, message, answered)

    async def _answered(self, endpoint: Endpoint, message: Outgoing, answered: Answered) -> None:
        now = self._clock()
        if 200 <= answered.status < 300:
            await self._webhooks.drop(message.id)
            await self._change(endpoint, delivered_at=now)
        elif answered.status == 410:
            await self._disable(message.endpoint_id, "it answered 410 Gone", now)
        else:
            if answered.pause is not None:
                self._paused[endpoint.id] = now + min(answered.pause, timedelta(hours=24))
            await self._failed(message, f"it answered {answered.status}", answered.pause)

    async def _failed(self, message: Outgoing, why: str, pause: timedelta | None) -> None:
        now = self._clock()
        jitter = secrets.randbelow(1_000) / 1_000
        again = message.again(now=now, jitter=jitter, asked_for=pause)
        if again is None:
            await self._disable(message.endpoint_id, f"a message failed for three days; the last time {why}", now)
            return
        await self._webhooks.postpone(again)
        await self._webhooks.change(
            message.endpoint_id,
            self._whole,
            lambda found: msgspec.structs.replace(found, failed_at=now, failure=why),
        )

    async def _disable(self, endpoint_id: str, why: str, now: datetime) -> None:
        await self._webhooks.change(endpoint_id, self._whole, lambda endpoint: endpoint.disabled(why, now=now))
        await self._webhooks.drop_all(endpoint_id)

    async def _change(self, endpoint: Endpoint, **fields: object) -> None:
        def changed(found: Endpoint) -> Endpoint:
            return msgspec.structs.replace(found, **fields)

        await self._webhooks.change(endpoint.id, self._whole, changed)

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()

"""The bus on RabbitMQ: FastStream consumes, aio-pika publishes with confirms on a connection of its own."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from weakref import WeakValueDictionary

import aio_pika
import stamina
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage, AbstractRobustChannel
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage
from yarl import URL

from services.runtime.bus import (
    Ack,
    Delivery,
    Handle,
    Message,
    Park,
    Parked,
    Retry,
    RetryPolicy,
    Verdict,
    amqp,
    parking,
    topology,
)

_IN_FLIGHT = 100
_PING_S = 3.0
_RECONNECT_S = 1.0
_LISTED = 10_000
_UNCONFIRMED = (*CONNECTION_EXCEPTIONS, TimeoutError)
logger = logging.getLogger(__name__)


class _Listener:
    """One listener: its queue's name and types, its core, and whose turn it is for a subject."""

    def __init__(self, name: str, types: frozenset[str], handle: Handle) -> None:
        self.name = name
        self.types = types
        self.handle = handle
        self.turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


class RabbitBus:
    """The bus port over one RabbitMQ virtual host; without subscriptions it publishes, lists and replays only."""

    def __init__(
        self,
        url: str,
        *,
        service: str,
        policy: RetryPolicy,
        others: Mapping[str, Collection[str]] | None = None,
        prefetch: int = 20,
        confirm_timeout_s: float = 10,
        grace_s: float = 5,
        start_timeout_s: float = 30,
    ) -> None:
        """``others`` are listeners of other processes with their types: their queues are declared as well.

        Whoever starts first thereby loses nothing for a listener that has never run.
        """
        self._url = url
        self._others = dict(others or {})
        self._service = service
        self._policy = policy
        self._prefetch = prefetch
        self._confirm_timeout_s = confirm_timeout_s
        self._grace_s = grace_s
        self._start_timeout_s = start_timeout_s
        self._listeners: dict[str, _Listener] = {}
        self._out: aio_pika.abc.AbstractRobustConnection | None = None
        self._broker: RabbitBroker | None = None
        self._channel: AbstractRobustChannel | None = None
        self._events: AbstractExchange | None = None
        self._probes: list[AbstractRobustChannel] = []
        self._stopping = False

    def subscribe(self, listener: str, types: Collection[str], handle: Handle) -> None:
        """Bind a listener's queue; raises ``ValueError`` for a second queue or a type that is a pattern."""
        if listener in self._listeners:
            raise ValueError(f"{listener!r} cannot have another queue.")
        if patterns := [name for name in types if "*" in name or "#" in name]:
            raise ValueError(f"Types are bound by their exact names, not by {patterns}.")
        self._listeners[listener] = _Listener(listener, frozenset(types), handle)

    async def start(self) -> None:
        """Connect, declare and consume; raises at once when the broker cannot be reached, in time when it is silent."""
        self._stopping = False
        try:
            # Declaring has no limit of its own: the silence would last until the heartbeat notices, for minutes.
            async with asyncio.timeout(self._start_timeout_s):
                await self._open_publishing()
                if self._listeners:
                    await self._open_consuming()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Begin no delivery, give the running ones ``grace_s``, then close: what is not acknowledged comes again."""
        self._stopping = True
        broker, out = self._broker, self._out
        self._broker = self._out = self._events = None
        self._probes = []
        # Without a server the libraries would wait for its answers; what they were to release, the server releases.
        with suppress(*_UNCONFIRMED):
            async with asyncio.timeout(self._grace_s + 1):
                if broker is not None:
                    await broker.stop()
        self._channel = None  # only now: a handler that ended meanwhile may have had something to put aside
        with suppress(*_UNCONFIRMED):
            async with asyncio.timeout(1):
                if out is not None:
                    await out.close()

    async def ping(self) -> None:
        """Return when the broker answered on every connection; raises within seconds when one is cut or blocked."""
        if not self._probes:
            raise RuntimeError("The bus does not run.")
        async with asyncio.timeout(_PING_S):
            for probe in self._probes:
                channel = await probe.get_underlay_channel()
                await channel.exchange_declare(topology.EVENTS, passive=True)

    async def publish(self, messages: Sequence[Message]) -> set[str]:
        """Publish in order, at most a hundred in flight; return the confirmed ids, all of them within the deadline."""
        events = self._events
        if events is None:
            raise RuntimeError("The bus does not run.")
        confirmed: set[str] = set()

        async def confirm(message: Message) -> None:
            # Unroutable is legitimate: nobody may listen to this type yet.
            await events.publish(amqp.outgoing(message), message.type, mandatory=False)
            confirmed.add(message.id)

        with suppress(TimeoutError):
            async with asyncio.timeout(self._confirm_timeout_s):
                for start in range(0, len(messages), _IN_FLIGHT):
                    batch = messages[start : start + _IN_FLIGHT]
                    results = await asyncio.gather(*map(confirm, batch), return_exceptions=True)
                    if failures := [result for result in results if result is not None]:
                        logger.warning("%d messages were not confirmed: %r", len(failures), failures[0])
                        break
        return confirmed

    async def parked(self, listener: str, *, limit: int = 100) -> list[Parked]:
        """Read what is parked for a listener, oldest first; needs no subscription, nothing for an unknown listener."""
        # All of it and not just the limit: what a quorum queue takes back goes behind what it took back before, so
        # that only whole listings leave the order alone.
        found: list[Parked] = []
        with suppress(ChannelNotFoundEntity):
            async with self._parking(listener) as queue:
                found = [amqp.parked(listener, raw) async for raw in queue.messages(at_most=_LISTED)]
        return sorted(found, key=lambda parked: parked.parked_at)[:limit]

    async def replay(self, listener: str, *, message_id: str | None = None) -> int:
        """Queue one parked message (or all) again as a first attempt; a crash in between leaves it in both places."""
        replayed = 0
        with suppress(ChannelNotFoundEntity):
            async with self._parking(listener) as queue:
                async for raw in queue.messages():
                    if message_id in {None, amqp.id_of(raw)}:
                        await self._copy(amqp.copy_of(raw, {}), listener)
                        await raw.ack()
                        replayed += 1
        return replayed

    async def _open_publishing(self) -> None:
        self._out = await aio_pika.connect_robust(
            self._url_for("publishes"), timeout=self._confirm_timeout_s, reconnect_interval=_RECONNECT_S
        )
        probe, channel = await self._out.channel(), await self._out.channel(on_return_raises=True)
        self._events = await topology.declare_events(channel)
        own = {listener.name: listener.types for listener in self._listeners.values()}
        for name, types in {**self._others, **own}.items():
            await topology.declare_listener(channel, self._events, name, types)
        self._channel = channel
        self._probes.append(probe)

    async def _open_consuming(self) -> None:
        self._broker = RabbitBroker(
            self._url_for("consumes"),
            timeout=self._confirm_timeout_s,
            reconnect_interval=_RECONNECT_S,
            graceful_timeout=self._grace_s,
            logger=None,
            apply_types=False,
        )
        for listener in self._listeners.values():
            self._consume(self._broker, listener)
        connection = await self._broker.connect()
        await self._broker.start()
        self._probes.append(await connection.channel())

    def _consume(self, broker: RabbitBroker, listener: _Listener) -> None:
        subscriber = broker.subscriber(
            topology.work_queue(listener.name),
            channel=Channel(prefetch_count=self._prefetch),
            ack_policy=AckPolicy.MANUAL,
            decoder=_undecoded,
            no_reply=True,
        )

        async def receive(message: RabbitMessage) -> None:
            await self._receive(listener, message.raw_message)

        subscriber(receive)
        # FastStream 0.7.8 ignores, and leaves unacknowledged, what arrives before start() has set this itself.
        subscriber.running = True

    async def _receive(self, listener: _Listener, raw: AbstractIncomingMessage) -> None:
        try:
            await self._serve(listener, raw)
        except _UNCONFIRMED as error:
            logger.warning("The answer of %s was lost and the message comes again: %r", listener.name, error)
        except Exception:  # whatever broke, the message must survive it
            logger.exception("A message for %s could not be settled and comes again.", listener.name)
            # Not at once: the broker parks it after a number of hand-outs, and until then others need the time.
            await asyncio.sleep(_RECONNECT_S)
            with suppress(*_UNCONFIRMED):
                await raw.reject(requeue=True)

    async def _serve(self, listener: _Listener, raw: AbstractIncomingMessage) -> None:
        attempt = amqp.attempt_of(raw)
        try:
            message = amqp.incoming(raw)
        except amqp.NotAnEvent as error:
            verdict: Verdict = Park(str(error))
        else:
            async with listener.turns.setdefault(message.subject, asyncio.Lock()):
                if self._stopping:
                    return
                verdict = await _verdict(listener, Delivery(message, attempt))
        match verdict:
            case Retry(is_counted=is_counted) if attempt < self._policy.attempts or not is_counted:
                copy = amqp.copy_of(raw, {amqp.ATTEMPT: attempt + is_counted})
                copy.expiration = self._policy.delay_ms / 1000
                await self._hand_over(raw, copy, topology.retry_queue(listener.name))
            case Retry(reason) | Park(reason):
                await self._hand_over(raw, amqp.parked_copy(raw, reason), topology.parked_queue(listener.name))
            case Ack():
                pass
        await raw.ack()

    async def _hand_over(self, raw: AbstractIncomingMessage, copy: aio_pika.Message, queue: str) -> None:
        """Hold a message until its copy is confirmed, or until it was taken from us and will come again."""

        def is_worth_waiting(error: Exception) -> bool:
            return isinstance(error, _UNCONFIRMED) and not raw.channel.is_closed

        async for attempt in stamina.retry_context(on=is_worth_waiting, attempts=None, timeout=None):
            with attempt:
                await self._copy(copy, queue)

    async def _copy(self, copy: aio_pika.Message, queue: str) -> None:
        if self._channel is None:
            raise RuntimeError("The bus does not run.")
        async with asyncio.timeout(self._confirm_timeout_s):
            await self._channel.default_exchange.publish(copy, queue, mandatory=True)

    def _url_for(self, purpose: str) -> str:
        """The address with the name under which the broker's operators see the connection."""
        return str(URL(self._url).update_query(name=f"{self._service} {purpose}"))

    def _parking(self, listener: str) -> AbstractAsyncContextManager[parking.Parking]:
        return parking.opened(self._url_for("sees what is parked"), listener, timeout_s=self._confirm_timeout_s)


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    return message


async def _verdict(listener: _Listener, delivery: Delivery) -> Verdict:
    try:
        return await listener.handle(delivery)
    except Exception as error:
        logger.exception("The handler of %s raised instead of giving a verdict.", listener.name)
        return Retry(type(error).__name__)

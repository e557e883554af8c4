"""Following the consent ledger of access by long poll, so that the replica has a lease."""

import asyncio
import logging
import random
import re
import uuid
from collections.abc import Sequence
from typing import Protocol

import msgspec

from contracts.access import ConsentAnswer, ConsentEntry
from contracts.ledger import Chain, NotGenuine
from contracts.visibility import DoesNotConnect
from gateway.replica import Replica, boot_clock
from gateway.signing import Signatures, itself
from gateway.upstream import Outgoing, Upstream
from services.runtime.identity import Signer
from services.runtime.memory import settle
from services.runtime.periodic import ended
from services.runtime.settings import Settings

logger = logging.getLogger(__name__)

LONGEST_PAUSE_S = 2.0
ANSWER_IN_S = 3.0
"""How much longer than the agreed wait an answer may take."""

ENTRIES_AT_A_TIME = 50
"""How many signatures are checked, some 10 ms, before other requests get their turn."""

MANY_ENTRIES = 5_000
"""As when a gateway starts: they stay, and are settled at once."""

_MOST_ANSWER_BYTES = 16 * 1024 * 1024


class ConsentSource(Protocol):
    """Where the ledger is followed."""

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:
        """What is new behind ``after``, in bounded time; raises ``DoesNotConnect`` when that is no place on the ledger.

        Raises ``NotGenuine`` for what the ledger's key did not sign.
        """


class AccessFeed:
    """The ledger as access serves it to gateways; every entry is checked before anything is decided by it."""

    def __init__(self, access: Upstream, signer: Signer, settings: Settings) -> None:
        """``settings.ledger_anchor`` is the fingerprint of the first key; empty, the first one seen is kept to."""
        self._access = access
        self._signatures = Signatures(signer)
        self._country = settings.country
        self._chain = Chain(settings.ledger_anchor)

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:
        """See ``ConsentSource``; raises ``ConnectionError`` for every other refusal."""
        if after == 0:
            self._chain = Chain(self._chain.anchor)
        elif (after, entry_hash) != (self._chain.epoch, self._chain.hash):
            raise DoesNotConnect("What was applied is not what was checked.")
        # Checking many signatures takes a while of our own, which is not access's to answer for.
        async with asyncio.timeout(wait_s + ANSWER_IN_S):
            answer = await self._asked(gateway, after=after, entry_hash=entry_hash, wait_s=wait_s)
        self._chain = await _checked(self._chain, answer.entries)
        return msgspec.structs.replace(answer, entries=tuple(map(_bare, answer.entries)))

    async def _asked(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:
        """What access answers, unchecked."""
        query = f"gateway={gateway}&after={after}&hash={entry_hash if after else ''}&wait_s={wait_s:.3f}"
        request = Outgoing(
            method="GET",
            target="/internal/consent",
            query=query,
            headers=((b"authorization", self._signatures.header(itself(gateway, self._country), None)),),
        )
        async with self._access.exchange(request) as response:
            content = bytearray()
            async for chunk in response.chunks:
                content += chunk
                if len(content) > _MOST_ANSWER_BYTES:
                    raise ConnectionError("access answered too much")
            if response.status == 409:
                raise DoesNotConnect("Access knows no such place on the ledger.")
            if response.status != 200:
                raise ConnectionError(f"access answered {response.status}")
            return msgspec.json.decode(content, type=ConsentAnswer)


async def _checked(chain: Chain, entries: Sequence[ConsentEntry]) -> Chain:
    """The chain after the entries; raises ``NotGenuine``."""
    for number, entry in enumerate(entries, start=1):
        chain = chain.next(entry)
        if number % ENTRIES_AT_A_TIME == 0:
            await asyncio.sleep(0)
    return chain


def _bare(entry: ConsentEntry) -> ConsentEntry:
    """The entry as the fold keeps it by the hundred thousand: without what was needed to check it."""
    return msgspec.structs.replace(entry, sealed={}, key_id="", signature="", at=None)


class Follower:
    """Keeps a replica up to date and leased, in the background."""

    def __init__(self, source: ConsentSource, replica: Replica, *, gateway_id: str, lease_s: float) -> None:
        """Each follower adds something of its own to ``gateway_id``: two that shared a name would share a lease."""
        self._source = source
        self._replica = replica
        self._name = f"{re.sub('[^A-Za-z0-9_-]', '-', gateway_id)[:64]}.{uuid.uuid4().hex}"
        self._wait_s = lease_s / 3
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._run(), name="consent")

    async def stop(self) -> None:
        """Stop following; the lease runs out by itself."""
        await ended(self._task)

    async def check(self) -> None:
        """Return while there is a lease: a readiness check."""
        if self._replica.lease_left_s() <= 0:
            raise ConnectionError("no lease on the consent ledger")

    async def _run(self) -> None:
        pause_s = 0.0
        while True:
            try:
                await self._ask()
                pause_s = 0.0
            except DoesNotConnect as error:
                logger.warning("reading the consent ledger from the start", extra={"reason": str(error)})
                self._replica.forget()
                await self._replica.cut_withdrawn()
                pause_s = max(pause_s, 0.05)
            except NotGenuine as error:
                logger.error("the consent ledger is not genuine: buyers are refused", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
                self._replica.drop_lease()
                await self._replica.cut_withdrawn()
                pause_s = LONGEST_PAUSE_S
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the lease runs out and we ask again
                logger.warning("access gave no lease", extra={"reason": f"{type(error).__name__}: {error}"})
                pause_s = min(LONGEST_PAUSE_S, max(0.05, pause_s * 2))
            if pause_s:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing

    async def _ask(self) -> None:
        """Ask once. The next question acknowledges, so answers that are forbidden now must have stopped before it."""
        fold = self._replica.fold
        sent_at = boot_clock()
        wait_s = self._wait_s if self._replica.lease_left_s() > 0 else 0.0  # without a lease nobody may wait for news
        answer = await self._source.follow(self._name, after=fold.epoch, entry_hash=fold.hash, wait_s=wait_s)
        self._replica.take(answer, sent_at=sent_at)
        if len(answer.entries) >= MANY_ENTRIES:
            settle()
        await self._replica.cut_withdrawn()

"""Factories that give and withdraw approvals as fast as they can, and how long each withdrawal took."""

import asyncio
import random
import time
from typing import Final

import aiohttp
import msgspec

from contracts.identity import Role
from tests.chaos.country import GATEWAYS, LEASE_S, Country
from tests.chaos.papers import FACTORIES
from tests.chaos.truth import BUYERS, Judge, Pair

LONGEST_ATTEMPT_S: Final = 12.0
GIVES_UP_S: Final = 90.0
COME_AGAIN: Final = frozenset({408, 409, 429, 503})
OPEN_S: Final = (0.0, 0.2)
SETTLED_S: Final = (1.2 * LEASE_S, 2 * LEASE_S)
SETTLED_SHARE: Final = 0.15
CLOSED_S: Final = (0.01, 0.15)


class Withdrawal(msgspec.Struct, frozen=True):
    """A withdrawal that was confirmed: the attempt that was answered, and when the factory first asked."""

    gateway: str
    first_asked: float
    asked: float
    confirmed: float

    @property
    def took_s(self) -> float:
        """How long the attempt that was confirmed took."""
        return self.confirmed - self.asked

    @property
    def took_in_all_s(self) -> float:
        """How long the factory had to wait in all."""
        return self.confirmed - self.first_asked


class Factories:
    """One actor for every factory, which turns to one buyer after the other."""

    def __init__(self, country: Country, judge: Judge, *, seed: int) -> None:
        self._country = country
        self._judge = judge
        self._seed = seed
        self._tokens: dict[str, str] = {}
        self._is_stopping = False
        self.withdrawals: list[Withdrawal] = []

    def stop(self) -> None:
        """Withdraw what is given and come to an end."""
        self._is_stopping = True

    async def run(self) -> None:
        """Give and withdraw until ``stop``."""
        timeout = aiohttp.ClientTimeout(total=LONGEST_ATTEMPT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as group:
            for factory in FACTORIES:
                group.create_task(self._give_and_take(session, factory))

    async def _give_and_take(self, session: aiohttp.ClientSession, factory: str) -> None:
        chance = random.Random(f"{self._seed} {factory}")
        number = 0
        await asyncio.sleep(chance.uniform(0, 1))
        while not self._is_stopping:
            number += 1
            pair = self._judge.pairs[chance.choice(BUYERS), factory]
            grant_id = f"g-{self._seed}-{factory}-{number}"
            body = {"id": grant_id, "factory_id": pair.factory, "buyer_id": pair.buyer, "purpose": "review"}
            pair.opening()
            await self._until(session, pair, chance, "POST", "grants", 201, body)
            pair.given()
            await asyncio.sleep(chance.uniform(*(SETTLED_S if chance.random() < SETTLED_SHARE else OPEN_S)))
            pair.closing()
            withdrawal = await self._until(session, pair, chance, "DELETE", f"grants/{grant_id}", 204)
            pair.closed(withdrawal.confirmed)
            self.withdrawals.append(withdrawal)
            await asyncio.sleep(chance.uniform(*CLOSED_S))

    async def _until(
        self,
        session: aiohttp.ClientSession,
        pair: Pair,
        chance: random.Random,
        method: str,
        path: str,
        status: int,
        body: object = None,
    ) -> Withdrawal:
        """Ask at one gateway after the other until it is done; raises ``AssertionError`` when it never is."""
        headers = {"authorization": f"Bearer {self._token(pair.factory)}"}
        first_asked, last = time.monotonic(), "nothing"
        while time.monotonic() < first_asked + GIVES_UP_S:
            gateway, asked = chance.choice(GATEWAYS), time.monotonic()
            url = f"{self._country.url(gateway)}/api/v1/{path}"
            try:
                async with session.request(method, url, headers=headers, json=body) as answer:
                    last = await answer.text()
                    if answer.status == status:
                        return Withdrawal(gateway, first_asked, asked, time.monotonic())
                    if answer.status not in COME_AGAIN:
                        self._judge.fault(f"{answer.status} instead of {status} on {method} {path}: {last}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                last = repr(error)
            await asyncio.sleep(chance.uniform(0.02, 0.2))
        raise AssertionError(f"{method} {path} was never done: {last}")

    def _token(self, factory: str) -> str:
        if factory not in self._tokens:
            self._tokens[factory] = self._country.token(f"user-{factory}", Role.FACTORY, factory)
        return self._tokens[factory]

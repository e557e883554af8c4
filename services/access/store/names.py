"""Looks up the names of webhook receivers in threads of their own, as name servers of a buyer may let everybody wait.

NOTE: a lookup that was begun cannot be broken off, so it keeps its place until it is over, whoever still waits for it.
A buyer has a few places: its name servers hold up its own messages and nobody else's.
"""

import asyncio
import functools
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from services.access.domain.addresses import is_allowed
from services.runtime.unavailable import StoreUnavailable

LOOKUPS: Final = 64
"""How many names are looked up at a time, each in its thread."""

LOOKUPS_OF_A_BUYER: Final = 2

_threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="webhook-names")
Lookup = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name, for a port."""


class NotPublic(OSError):
    """The address is not public."""


class Names:
    """The names of receivers, and the places in which they are looked up."""

    def __init__(self, lookup: Lookup | None, *, allows_loopback: bool, timeout_s: float) -> None:
        self._lookup = lookup or _looked_up
        self._allows_loopback = allows_loopback
        self._timeout_s = timeout_s
        self._changed = asyncio.Condition()
        self._taken: Counter[str] = Counter()
        self._asking: set[asyncio.Task[list[str]]] = set()

    async def look_up(self, host: str, port: int, *, whose: str) -> list[ResolveResult]:
        """The addresses of a name of a buyer, all of them public.

        Raises ``OSError`` for any other name and when no name server answered in time, and ``StoreUnavailable`` when
        no place became free in time and nobody was asked.
        """
        await self._take_place(whose)
        asking = asyncio.create_task(self._ask(host, port, whose), name="webhook-name")
        self._asking.add(asking)
        asking.add_done_callback(self._over)
        done, _ = await asyncio.wait({asking}, timeout=self._timeout_s)
        if not done:
            raise OSError("no name server answered")
        addresses = asking.result()
        if not all(is_allowed(address, allows_loopback=self._allows_loopback) for address in addresses):
            raise NotPublic("not a public address")
        return [_result(host, address, port) for address in addresses]

    async def _take_place(self, whose: str) -> None:
        def is_free() -> bool:
            return self._taken[whose] < LOOKUPS_OF_A_BUYER and self._taken.total() < LOOKUPS

        try:
            async with asyncio.timeout(self._timeout_s), self._changed:
                await self._changed.wait_for(is_free)
                self._taken[whose] += 1
        except TimeoutError:
            raise StoreUnavailable("Too many names are being looked up.") from None

    async def _ask(self, host: str, port: int, whose: str) -> list[str]:
        try:
            return await self._lookup(host, port)
        finally:
            async with self._changed:
                self._taken[whose] -= 1
                self._changed.notify_all()

    def _over(self, asking: asyncio.Task[list[str]]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # nobody may be waiting for it any more


class Found(AbstractResolver):
    """Knows the addresses that were found for the one name that is connected to, and asks nobody."""

    def __init__(self, addresses: list[ResolveResult]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,  # noqa: ARG002 - the port's own signature
        port: int = 0,  # noqa: ARG002
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002
    ) -> list[ResolveResult]:
        """The addresses."""
        return self._addresses

    async def close(self) -> None:
        """Nothing is kept."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


async def _looked_up(host: str, port: int) -> list[str]:
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_threads, ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))

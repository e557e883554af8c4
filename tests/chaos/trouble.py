"""Kills, freezes and partitions by chance, from a seed, in storms with calms between them; and when what was wrong."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from tests.chaos.country import GATEWAYS, LEASE_S, STAR, Country
from tests.chaos.truth import Judge
from tests.chaos.wires import Fault
from tests.servers.process import end_at_once

STORM_S: Final = (6.0, 14.0)
CALM_S: Final = (5.0, 10.0)
FIRST_CALM_S: Final = 2.0
PAUSE_S: Final[Mapping[str, tuple[float, float]]] = {"gateways": (0.2, 2.5), "access": (0.5, 5.0)}
LENGTH_S: Final = (0.1 * LEASE_S, 3 * LEASE_S)
NOTHING: Final = ""
ACTORS: Final = {"gateways": GATEWAYS, "access": ("access", "mongo", "rabbitmq")}
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(GATEWAYS, ("kill", "freeze", "partition")),
    "access": ("kill", "freeze", "succession"),
    "mongo": ("partition",),
    "rabbitmq": ("partition",),
    NOTHING: ("",),
}
FAULTS: Final = tuple(fault for fault in Fault if fault is not Fault.NOTHING)
WATCH_S: Final = 0.2


class Trouble(msgspec.Struct):
    """Something that was wrong with a process or a wire; ``ended`` is infinite while it goes on."""

    kind: str
    target: str
    began: float
    ended: float = float("inf")


class Chaos:
    """Makes trouble until it is told to stop, and remembers all of it."""

    def __init__(self, country: Country, judge: Judge, *, seed: int) -> None:
        self._country = country
        self._judge = judge
        self._seed = seed
        self._is_storming = asyncio.Event()
        self._is_stopping = False
        self._busy: set[str] = set()
        self.troubles: list[Trouble] = []

    async def run(self) -> None:
        """Make trouble until ``stop``; then everything is healed and ready again."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(each) for each in (self._weather(), self._watch())]
            async with asyncio.TaskGroup() as actors:
                for actor, name in enumerate(("gateways", "gateways", "access")):
                    actors.create_task(self._act(name, random.Random(f"{self._seed} {name} {actor}")))
            for task in beside:
                task.cancel()

    def stop(self) -> None:
        """Begin no more trouble."""
        self._is_stopping = True
        self._is_storming.set()

    @property
    def is_calm(self) -> bool:
        """Whether no more trouble begins just now."""
        return not self._is_storming.is_set()

    def during(self, began: float, ended: float, *, margin_s: float) -> list[Trouble]:
        """What was wrong at some moment from a margin before to a margin after."""
        first, last = began - margin_s, ended + margin_s
        return [each for each in self.troubles if each.began <= last and each.ended >= first]

    def counts(self) -> Counter[str]:
        """How often what was done."""
        return Counter(f"{each.kind} {each.target}" for each in self.troubles)

    async def _weather(self) -> None:
        chance = random.Random(f"{self._seed} weather")
        await asyncio.sleep(FIRST_CALM_S)
        while True:
            self._is_storming.set()
            await asyncio.sleep(chance.uniform(*STORM_S))
            self._is_storming.clear()
            await asyncio.sleep(chance.uniform(*CALM_S))

    async def _act(self, actor: str, chance: random.Random) -> None:
        took_s = 0.0
        while not self._is_stopping:
            await self._is_storming.wait()
            # Of access there is one: without a rest as long as the trouble was, nobody could withdraw anything.
            await asyncio.sleep(chance.uniform(*PAUSE_S[actor]) + (took_s if actor == "access" else 0.0))
            target = chance.choice([each for each in ACTORS[actor] if each not in self._busy] or [NOTHING])
            kind, length_s = chance.choice(KINDS[target]), chance.uniform(*LENGTH_S)
            began = time.monotonic()
            if target and self._is_storming.is_set() and not self._is_stopping:
                await self._do(kind, target, length_s, chance.choice(FAULTS))
            took_s = time.monotonic() - began

    async def _do(self, kind: str, target: str, length_s: float, fault: Fault) -> None:
        trouble = Trouble(f"{kind} {fault}" if kind == "partition" else kind, target, time.monotonic())
        self.troubles.append(trouble)
        self._busy.add(target)
        try:
            if kind == "kill":
                await self._restart(target)
            elif kind == "freeze":
                await self._freeze(target, length_s)
            elif kind == "succession":
                await self._succeed(length_s)
            else:
                await self._part(target, fault, length_s)
        finally:
            trouble.ended = time.monotonic()
            self._busy.discard(target)

    async def _restart(self, name: str) -> None:
        """Kill a process and start it at once, as a supervisor would; it is over when it is ready again."""
        await asyncio.to_thread(self._country.kill, name)
        await asyncio.to_thread(self._country.start, name)
        await self._country.until_ready(name)

    async def _freeze(self, name: str, length_s: float) -> None:
        """Stop a process in whatever it is at: its connections stay open and its clock goes on."""
        self._country.signal(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(length_s)
        finally:
            self._country.signal(name, signal.SIGCONT)

    async def _succeed(self, length_s: float) -> None:
        """Freeze access, let another process take its place, and wake the first one, which does not know."""
        former = self._country.succeed()
        try:
            await self._country.until_ready("access")
            await asyncio.sleep(length_s)
        finally:
            former.send_signal(signal.SIGCONT)
        await asyncio.sleep(LEASE_S)
        await asyncio.to_thread(end_at_once, former)

    async def _part(self, name: str, fault: Fault, length_s: float) -> None:
        """Make a wire fail: of a gateway the one to access, of a server the one from access."""
        wire = self._country.wires[name]
        wire.suffer(fault)
        try:
            await asyncio.sleep(length_s)
        finally:
            wire.suffer(Fault.NOTHING)

    async def _watch(self) -> None:
        """Note every process that ends by itself as a fault, and start it again."""
        while True:
            await asyncio.sleep(WATCH_S)
            for name in self._ended(each for each in (*STAR, "papers") if each not in self._busy):
                code = self._country.exit_code(name)
                self._judge.fault(f"{name} ended by itself with {code}: {self._country.log_tail(name)[-700:]}")
                await asyncio.to_thread(self._country.start, name)

    def _ended(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._country.exit_code(name) is not None]

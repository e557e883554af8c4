"""An old process of access and the one that replaces it, with every order of what their store reads and answers.

Both are the real ``Consent`` and ``Charge`` on one store in memory. Of whether it is in charge the store reads in one
step and the old process hears in another one, and between the two anything may happen. A coroutine cannot be copied, so
every situation is reached by playing its steps again from the start.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from contracts.access import ConsentAnswer
from services.access.domain.consent.fold import Fold
from services.access.domain.lease import Leases
from services.access.store.charge import Charge
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from services.runtime.documents import Document, Documents
from tests.access.lease_access import LEASE, Memory
from tests.access.lease_gateway import Believes
from tests.access.lease_model import LONG_AGO, Message, Model
from tests.support.virtual import VirtualLoop, nobody_moves

GRANT, REVOCATION = LONG_AGO + 1, LONG_AGO + 2
Step = tuple[str, str]


@dataclass
class Asked:
    """What a coroutine asked of the store, what the store read (if it did), and who waits for it."""

    by: str
    about: str
    read: Callable[[], object]
    heard: asyncio.Future[Any]
    found: list[Any] = field(default_factory=list)


class World:
    """The store, the clock, both processes, a gateway with one question, and the factory's revocation."""

    def __init__(self, loop: VirtualLoop, folds: Sequence[Fold]) -> None:
        self._loop = loop
        self.folds = folds
        self.now = 0.0
        self.epoch = LONG_AGO
        self.charge: Document = {"_id": "leases", "version": 1, "lease_s": LEASE}
        self.asked: list[Asked] = []
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.heard: dict[str, tuple[int, str, int]] = {}
        self.old, self.new = Process(self, "old"), Process(self, "new")
        loop.run(self.old.charge.take())
        self.old.consent._leases = Leases(0.0, LONG_AGO)
        self.gateway = Believes(applied=LONG_AGO)
        self.question = Message(0, 0, LONG_AGO, state="")
        self.has_asked = False

    def ask(self, about: str, read: Callable[[], object]) -> asyncio.Future[Any]:
        """Ask the store something; what it reads and when that is heard are steps."""
        task = asyncio.current_task()
        assert task is not None
        asked = Asked(task.get_name(), about, read, self._loop.create_future())
        if asked.by not in self.tasks:  # before anything that is explored
            asked.heard.set_result(read())
        elif asked.by.startswith("new") and (asked.by, about) != ("new opens", "ledger"):
            asked.heard.set_result(read())
            self.note(asked.by, about)
        else:
            self.asked.append(asked)
        return asked.heard

    def note(self, by: str, about: str) -> None:
        """Remember how often and at which epoch a coroutine heard of the store: with that it goes on alike."""
        process = self.old if by.startswith("old") else self.new
        self.heard[by] = (self.heard[by][0] + 1, about, process.fold.epoch)

    def begin(self, name: str, work: Any) -> None:
        self.heard[name] = (0, "", 0)
        self.tasks[name] = self._loop.create_task(work, name=name)

    def has_returned(self) -> bool:
        """Whether a revocation has returned."""
        ended = [task for name, task in self.tasks.items() if name.endswith("revokes") and task.done()]
        return any(task.exception() is None for task in ended)

    def situation(self) -> object:
        """Everything that what comes next depends on, with times relative to now."""
        waiting = {(a.by, a.about, *(found["version"] for found in a.found)) for a in self.asked}
        tasks = {(name, _outcome(task, self.heard[name])) for name, task in self.tasks.items()}
        processes = [each.situation(self.now) for each in (self.old, self.new)]
        version = self.charge["version"]
        own = (self.epoch, version, *processes, self.gateway, self.question, self.has_asked)
        return own, frozenset(waiting), frozenset(tasks)


class Process:
    """One process of access, of which the world says when its store answers."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self.fold = Fold()
        self.catch_up(LONG_AGO)
        self.charge = Charge(cast(Documents, self), lease_s=LEASE)
        self.consent = Consent(cast(Ledger, self), self.charge, lease_s=LEASE, clock=lambda: world.now)

    def catch_up(self, epoch: int) -> None:
        """Let the fold, which others hold as well, grow to an epoch."""
        if epoch > self.fold.epoch:
            vars(self.fold).update(vars(self._world.folds[epoch]))

    def situation(self, now: float) -> object:
        leases = self.consent._leases
        memory = Memory(0, 0.0, 0).after(leases)
        alive = frozenset((name, acked, ends - now) for name, acked, ends in memory.leases if ends > now)
        unknown = max(0.0, leases.unknown_until - now), leases.unknown_epoch
        return self.fold.epoch, self.charge._term, alive, unknown

    def on_append(self, tell: object) -> None:
        """The ledger: nobody else is told."""

    async def announce_key(self, **_: object) -> Fold:
        """The ledger: its key is announced."""
        return self.fold

    @property
    def known(self) -> Fold:
        """The ledger: what was read before."""
        return self.fold

    async def current(self) -> Fold:
        """The ledger: read what is behind the fold."""
        self.catch_up(await self._world.ask("ledger", lambda: self._world.epoch))
        return self.fold

    def collection(self, _: str) -> "Process":
        """The documents: of the charge only."""
        return self

    async def get(self, _: str) -> Document | None:
        """The charge."""
        return dict(await self._world.ask("charge", lambda: self._world.charge))

    async def replace(self, document: Document, *, if_version: int) -> bool:
        """Take the charge."""

        def written() -> bool:
            is_unchanged = bool(self._world.charge["version"] == if_version)
            if is_unchanged:
                self._world.charge = document
            return is_unchanged

        return bool(await self._world.ask("take", written))


def _outcome(task: asyncio.Task[Any], heard: object) -> object:
    if not task.done():
        return heard
    error = task.exception()
    result = "" if error else task.result()
    told = (len(result.entries), result.epoch, result.lease_s) if isinstance(result, ConsentAnswer) else ""
    return type(error).__name__, told


class Found(NamedTuple):
    """How many situations there are, in how many a revocation has returned, and the steps to one that shows it."""

    situations: int
    after: int
    broken_by: tuple[Step, ...] | None


class Takeover:
    """The steps of such a world, and where they lead."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._loop = VirtualLoop()
        self.close = self._loop.close
        self._folds = model.access._folds

    def explored(self) -> Found:
        """Every situation, or those up to the first in which the gateway shows what was revoked."""
        seen: dict[object, bool] = {}
        waiting: deque[tuple[Step, ...]] = deque([()])
        while waiting:
            path = waiting.popleft()
            situation, following, has_returned, shows = self._played(path)
            if situation in seen:
                continue
            seen[situation] = has_returned
            if has_returned and shows:
                return Found(len(seen), sum(seen.values()), path)
            waiting.extend((*path, step) for step in following)
        return Found(len(seen), sum(seen.values()), None)

    def _played(self, path: Sequence[Step]) -> tuple[object, Sequence[Step], bool, bool]:
        """The situation after these steps, the next ones, and whether a revocation returned and the gateway shows."""
        world = World(self._loop, self._folds)
        for step in path:
            self._do(world, *step)
            self._loop.run_until_complete(nobody_moves())
        shows = bool(self._model.gateways.shown(world.gateway))
        found = world.situation(), self._steps(world), world.has_returned(), shows
        self._loop.run(asyncio.sleep(0))
        return found

    def _steps(self, world: World) -> Sequence[Step]:
        steps = [("hears" if each.found else "reads", f"{each.by}|{each.about}") for each in world.asked]
        if world.old.fold.epoch < world.epoch:
            steps.append(("reads for somebody else", "old"))
        if "new opens" not in world.tasks:
            steps.append(("opens", "new"))
        return [("a lease passes", ""), *steps, *self._steps_outside(world)]

    def _steps_outside(self, world: World) -> Iterator[Step]:
        """What the factory and the gateway may do."""
        is_revoking = any(name.endswith("revokes") and not task.done() for name, task in world.tasks.items())
        if world.epoch < GRANT:
            yield "gives", ""
        elif not is_revoking and not world.has_returned():
            yield from (("revokes", name) for name in ("old", "new") if f"{name} revokes" not in world.tasks)
        if not world.has_asked:
            yield from (("asks", "old"), ("asks", "new"))
        elif world.question.state and world.tasks[world.question.state].done():
            yield "is answered", ""

    def _do(self, world: World, step: str, about: str) -> None:
        match step:
            case "reads" | "hears":
                self._store(world, *about.split("|"))
            case "reads for somebody else":
                world.old.catch_up(world.epoch)
            case "opens":
                world.begin("new opens", world.new.consent._open())
            case "a lease passes":
                self._pass_time(world)
            case _:
                self._do_outside(world, step, world.old if about == "old" else world.new, about)

    def _do_outside(self, world: World, step: str, process: Process, name: str) -> None:
        match step:
            case "gives":
                world.epoch = GRANT
            case "revokes":
                world.epoch = REVOCATION
                process.catch_up(REVOCATION)
                world.begin(f"{name} revokes", process.consent.in_force(REVOCATION, given=GRANT))
            case "asks":
                self._ask(world, process, f"{name} answers")
            case "is answered":
                self._answer(world)

    def _pass_time(self, world: World) -> None:
        world.now += LEASE
        world.gateway = self._model.gateways.later(world.gateway, LEASE)
        if world.question.state:
            world.question = world.question._replace(age=LEASE)
        for process in (world.old, world.new):
            process.consent.announce()

    def _store(self, world: World, by: str, about: str) -> None:
        """The store reads; or who asked hears what it read."""
        asked = next(each for each in world.asked if (each.by, each.about) == (by, about))
        is_read = bool(asked.found)
        if not is_read:
            asked.found.append(asked.read())
        if is_read or about == "ledger":
            world.asked.remove(asked)
            asked.heard.set_result(asked.found[0])
            world.note(by, about)

    def _ask(self, world: World, process: Process, name: str) -> None:
        after = world.gateway.applied
        world.has_asked = True
        world.question = Message(0, 0, after, state=name)
        entry_hash = self._folds[after].hash
        world.begin(name, process.consent.follow("gateway", after=after, entry_hash=entry_hash, wait_s=0))

    def _answer(self, world: World) -> None:
        question, task = world.question, world.tasks[world.question.state]
        world.question = question._replace(state="", age=0)
        if task.exception() is None:
            told: ConsentAnswer = task.result()
            upto = question.after + len(told.entries)
            answer = Message(0, 0, question.after, "answered", question.age, upto, told.epoch, told.lease_s)
            world.gateway = self._model.heard(world.gateway, answer)

"""Every order of what may happen to gateways and access: no read after a revoke returned.

What is broken on purpose shows that the exploration would tell: each break is one of the product's own functions.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from unittest.mock import patch

import msgspec
import pytest
from litestar.types import Message, Send

from contracts.access import ConsentAnswer
from gateway import replica
from gateway.replica import Guard, Replica, Withdrawn
from services.access.domain.lease import Leases
from services.access.usecases.consent import Consent
from tests.access.lease_model import GROUP, TWICE, Scenario, explored

SCENARIOS: Final = {
    "a gateway that restarts": Scenario(restarts=1),
    "a factory of a group, answers on their way": Scenario(steps=GROUP, restarts=1, answers=True),
    "given and taken back twice, answers on their way, with a slow clock": Scenario(
        steps=TWICE, answers=True, is_slow=True
    ),
    "news in parts": Scenario(steps=TWICE, entries_per_answer=1, answers=True),
    "questions that overtake each other": Scenario(in_flight=2),
    "two gateways": Scenario(gateways=2),
}
_take, _follow, _in_the_way, _stands = Replica.take, Consent.follow, Leases.in_the_way, Guard.stands


def counts_from_receipt(self: Replica, answer: ConsentAnswer, *, sent_at: float) -> None:  # noqa: ARG001 - its shape
    _take(self, answer, sent_at=self._clock())


def keeps_its_lease(self: Replica, answer: ConsentAnswer, *, sent_at: float) -> None:
    """Take a part of the news under the lease that there is."""
    lease_ends = self._lease_ends
    _take(self, answer, sent_at=sent_at)
    self._lease_ends = max(self._lease_ends, lease_ends)


def knows_no_unknown(self: Leases, epoch: int, *, given: int, now: float) -> float | None:
    return _in_the_way(msgspec.structs.replace(self, unknown_until=now), epoch, given=given, now=now)


def unknown_knows_nothing(self: Leases, epoch: int, *, given: int, now: float) -> float | None:
    return _in_the_way(msgspec.structs.replace(self, unknown_epoch=0), epoch, given=given, now=now)


async def does_not_wait(self: Consent, epoch: int, *, given: int) -> None:
    """Confirm at once."""


async def leases_a_part(self: Consent, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:
    """Give a lease with a part of the news as if it were all."""
    answer = await _follow(self, gateway, after=after, entry_hash=entry_hash, wait_s=wait_s)
    self._leases = self._leases.extended(gateway, after, now=self._clock(), lease_s=self._lease_s)
    return msgspec.structs.replace(answer, epoch=after + len(answer.entries), lease_s=self._lease_s)


def does_not_look_before_sending(self: Guard) -> bool:
    return self._sending is None or _stands(self)


async def goes_on_without_a_lease(self: Guard, send: Send, message: Message) -> None:
    """Look before sending and never again, unless somebody cuts it."""
    if not self.stands():
        raise Withdrawn("Too late.")
    self._sending = asyncio.ensure_future(send(message))
    await asyncio.wait({self._sending})


async def does_not_cut(self: Replica) -> None:
    """Let every answer go on."""


async def does_not_wait_for_the_cut(self: Guard) -> None:
    """Ask what is being sent to stop, and go on at once."""
    if self._sending is not None:
        self._sending.cancel()


BREAKS: Final[Mapping[str, tuple[object, str, object, Scenario]]] = {
    "no margin for a clock that drifts": (replica, "CLOCK_DRIFT", 0.0, Scenario(is_slow=True)),
    "lease counted from the answer": (Replica, "take", counts_from_receipt, Scenario()),
    "a part of the news under an old lease": (
        Replica,
        "take",
        keeps_its_lease,
        Scenario(steps=TWICE, entries_per_answer=1),
    ),
    "a lease with a part of the news": (
        Consent,
        "follow",
        leases_a_part,
        Scenario(steps=TWICE, entries_per_answer=1),
    ),
    "no unknown lease after a start": (Leases, "in_the_way", knows_no_unknown, Scenario()),
    "unknown leases know nothing": (Leases, "in_the_way", unknown_knows_nothing, Scenario()),
    "revoke does not wait": (Consent, "in_force", does_not_wait, Scenario()),
    "leaving a group does not wait": (Consent, "in_force", does_not_wait, Scenario(steps=GROUP)),
    "no look before sending": (Guard, "stands", does_not_look_before_sending, Scenario(answers=True)),
    "no look while sending": (Guard, "send", goes_on_without_a_lease, Scenario(answers=True)),
    "acknowledged before anything is cut": (Replica, "cut_withdrawn", does_not_cut, Scenario(answers=True)),
    "acknowledged before what is cut has stopped": (Guard, "cut", does_not_wait_for_the_cut, Scenario(answers=True)),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_no_read_is_granted_after_a_revoke_returned(
    scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    found = explored(scenario)
    print(f"{found.states} states, {found.after} of them after a withdrawal")  # noqa: T201 - shown by pytest -s
    record_property("states", found.states)
    assert not found.is_broken
    assert found.states > 10_000
    assert found.after > 1_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("owner", "name", "broken", "scenario"), BREAKS.values(), ids=BREAKS)
def test_the_exploration_tells_when_a_rule_is_broken(owner: Any, name: str, broken: object, scenario: Scenario) -> None:
    with patch.object(owner, name, broken):
        assert explored(scenario).is_broken


@pytest.mark.slow
def test_the_exploration_tells_when_two_gateways_share_a_name() -> None:
    assert explored(Scenario(gateways=2, shares_a_name=True)).is_broken

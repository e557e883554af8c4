"""Every order of what an old process of access and its successor do: no read after a revoke returned."""

import contextlib
from collections.abc import Mapping
from typing import Any, Final
from unittest.mock import patch

import pytest

from services.access.domain.consent.fold import Fold
from services.access.domain.lease import Leases
from services.access.store.charge import Charge
from services.access.usecases.consent import Consent
from tests.access.lease_model import Model, Scenario
from tests.access.takeover_model import Found, Takeover


async def answers_from_what_grew_meanwhile(self: Consent, _: int) -> tuple[Fold, int]:
    """Check the charge once, and tell whatever anybody of this process has read by then."""
    fold = await self._ledger.current()
    await self._charge.check()
    return fold, fold.epoch


async def does_not_check(self: Charge) -> None:
    """Be in charge for ever."""


def waits_for_its_own_leases_only(self: Leases, epoch: int, *, given: int, now: float) -> float | None:  # noqa: ARG001 - its shape
    return max(
        (each.ends for each in self.known.values() if each.acknowledged < epoch and each.ends > now), default=None
    )


BREAKS: Final[Mapping[str, tuple[object, str, object]]] = {
    "news that came during the check": (Consent, "_known", answers_from_what_grew_meanwhile),
    "no check whether somebody took over": (Charge, "check", does_not_check),
    "no waiting for the leases of the old process": (Leases, "in_the_way", waits_for_its_own_leases_only),
}


def explored() -> Found:
    model = Model(Scenario())
    with contextlib.closing(model), contextlib.closing(Takeover(model)) as takeover:
        return takeover.explored()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_read_is_granted_after_a_revoke_returned_while_a_process_is_replaced() -> None:
    found = explored()
    print(f"{found.situations} situations, {found.after} of them after a withdrawal")  # noqa: T201 - shown by pytest -s
    assert found.broken_by is None
    assert found.situations > 3_000
    assert found.after > 500


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("owner", "name", "broken"), BREAKS.values(), ids=BREAKS)
def test_the_exploration_tells_when_a_rule_of_the_charge_is_broken(owner: Any, name: str, broken: object) -> None:
    with patch.object(owner, name, broken):
        assert explored().broken_by is not None

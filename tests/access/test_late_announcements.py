"""What is announced late could be read before: a buyer that may see it no more is told to delete it all the same."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.access.queries.changes import list_changes
from tests.access.hooks import ZONE, Hooks, hooks


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with hooks(tmp_path) as found:
        yield found


class Follower:
    """A buyer's program that follows the feed."""

    def __init__(self, country: Hooks) -> None:
        self._country = country
        self._since: str | None = None

    async def told(self) -> list[tuple[str, bool]]:
        """The documents of which the feed tells since the last time, and whether they are withdrawn."""
        country = self._country
        page = await list_changes(
            country.journal,
            country.ledger,
            "b1",
            changed_since=self._since,
            limit=50,
            after=None,
            today=country.today,
            zone=ZONE,
        )
        self._since = page.changed_since
        return [(item.document_id, item.is_withdrawn) for item in page.items]


async def test_what_was_read_before_a_revocation_and_announced_after_it_is_withdrawn(country: Hooks) -> None:
    """The bus was slow: the buyer has read the report in the minute between its release and the revocation."""
    await country.share()
    follower = Follower(country)
    assert await follower.told() == []
    released_at = country.now + timedelta(minutes=1)
    country.now += timedelta(minutes=2)
    await country.revoke()
    await country.publish(at=released_at)
    assert await follower.told() == [("p1", True)]
    assert await follower.told() == []


async def test_a_feed_that_was_read_between_a_revocation_and_the_announcement_still_tells_it(country: Hooks) -> None:
    await country.share()
    follower = Follower(country)
    await follower.told()
    released_at = country.now + timedelta(minutes=1)
    country.now += timedelta(minutes=2)
    await country.revoke()
    assert await follower.told() == []
    await country.publish(at=released_at)
    assert await follower.told() == [("p1", True)]


async def test_what_was_released_after_the_revocation_is_never_told_however_late_it_is_heard(country: Hooks) -> None:
    await country.share()
    follower = Follower(country)
    await follower.told()
    country.now += timedelta(minutes=1)
    await country.revoke()
    released_at = country.now + timedelta(minutes=1)
    country.now += timedelta(hours=3)
    await country.publish(at=released_at)
    assert await follower.told() == []


async def test_what_was_released_on_the_last_day_of_a_grant_and_announced_on_the_next_is_withdrawn(
    country: Hooks,
) -> None:
    await country.share(ends_on=country.today)
    follower = Follower(country)
    await follower.told()
    released_at = country.now + timedelta(hours=1)
    country.now += timedelta(days=1)
    await country.publish(at=released_at)
    assert await follower.told() == [("p1", True)]


async def test_a_clock_that_is_ahead_releases_nothing_in_the_future(country: Hooks) -> None:
    """Otherwise what is taken back meanwhile would seem never to have been seen."""
    await country.share()
    follower = Follower(country)
    await country.publish(at=country.now + timedelta(days=2))
    assert await follower.told() == [("p1", False)]
    country.now += timedelta(minutes=1)
    await country.revoke()
    assert await follower.told() == [("p1", True)]

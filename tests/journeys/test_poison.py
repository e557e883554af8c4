"""A message that cannot be handled is put aside with its reason, holds up nothing, and comes home after the fix."""

from collections.abc import Collection

import msgspec
import pytest

from contracts.training import CoursesRecommendedV1
from tests.journeys.country import Country, new_id
from tests.journeys.poison import a_message, publish_by_hand
from tests.journeys.world import World
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(180)
FINALISED = "assessment.visit.finalised.v1"
LISTENERS = ("remediation", "training", "reporting")


class Shown(msgspec.Struct):
    """What ``star park show`` tells."""

    listener: str
    message: dict[str, object]
    reason: str
    attempts: int
    parked_at: str


async def shown(world: World, listener: str, message_id: str) -> Shown | None:
    """A parked message as an operator sees it."""
    done = await world.star("park", "show", listener, message_id)
    return msgspec.json.decode(done.stdout, type=Shown) if done.returncode == 0 else None


async def until_parked(world: World, message_id: str, listeners: Collection[str]) -> str:
    """Wait until a message is parked for some listeners, and tell the whole list."""

    async def listed() -> str:
        done = await world.star("park", "list")
        assert done.returncode == 0, done.stderr
        headings = [line for line in done.stdout.splitlines() if message_id in line]
        assert {line.split()[1] for line in headings} == set(listeners)
        return done.stdout

    return await eventually(listed, within_s=30, saying=f"{message_id} parked for {listeners}")


async def a_broken_message_is_parked(country: Country, body: bytes, reason: str) -> None:
    world, message = country.world, a_message(FINALISED, body)
    await publish_by_hand(world, message)
    await country.a_released_case()
    listed = await until_parked(world, message.id, LISTENERS)
    found = await shown(world, LISTENERS[0], message.id)
    assert found is not None
    assert (found.listener, found.attempts) == (LISTENERS[0], 1)
    assert found.reason.startswith(reason)
    assert found.reason in listed


async def test_a_message_of_another_shape_is_parked_at_once_for_every_listener_and_holds_up_nothing(
    country: Country,
) -> None:
    await a_broken_message_is_parked(country, b'{"visit_id": 7}', f"the body does not fit {FINALISED}")


@pytest.mark.servers
async def test_a_message_that_is_no_json_is_parked_at_once_for_every_listener_and_holds_up_nothing(
    deployed_country: Country,
) -> None:
    await a_broken_message_is_parked(deployed_country, b"{not json", "The body is not JSON")


async def test_a_message_that_came_too_early_for_ever_is_parked_and_comes_home_when_its_plan_exists(
    country: Country,
) -> None:
    world, factory, visit_id = country.world, await country.factory(), new_id()
    course_id = f"course-{new_id()}"
    event = CoursesRecommendedV1(
        recommendation_id=new_id(), factory_id=factory.id, cycle=1, visit_id=visit_id, course_ids=(course_id,)
    )
    message = a_message(event.type, msgspec.json.encode(event))
    await publish_by_hand(world, message)
    await until_parked(world, message.id, ["remediation"])
    found = await shown(world, "remediation", message.id)
    assert found is not None
    assert (found.attempts, found.reason.partition(":")[0]) == (8, "not_found")
    assert found.message["type"] == event.type

    await country.finalised_visit(factory, id=visit_id)
    case = await country.followed_up(factory, visit_id)
    await country.until_listed("leader", f"/plans?factory_id={factory.id}", lambda plan: plan["course_ids"])
    replayed = await world.star("park", "replay", "remediation", "--message-id", message.id)
    assert replayed.returncode == 0, replayed.stderr

    async def has_arrived() -> bool:
        plan = (await country.do("leader", "GET", f"/plans/{case.plan_id}")).json
        return bool(plan["course_ids"] == [course_id])

    await eventually(has_arrived, within_s=15, saying="the courses of the replayed message beside the plan")
    assert await shown(world, "remediation", message.id) is None
    nothing = await world.star("park", "replay", "remediation", "--message-id", message.id)
    assert nothing.returncode == 1

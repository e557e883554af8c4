"""One request of one person is one trace, through every process that has something to do because of it."""

import re
from collections.abc import Collection
from typing import Final

import msgspec
import pytest

from tests.journeys.country import Country, new_id
from tests.journeys.poison import a_message, publish_by_hand
from tests.journeys.world import DeployedWorld, Logged
from tests.support.collector import Seen
from tests.support.eventually import eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
ROUTE: Final = "POST /api/v1/visits/{visit_id}/finalisation"
FINALISED, OPENED = "assessment.visit.finalised.v1", "remediation.plan.opened.v1"
RECOMMENDED, FROZEN = "training.courses.recommended.v1", "reporting.report.frozen.v1"

Step = tuple[str, int, str]
ENTERED: Final[Step] = ("gateway", SERVER, ROUTE)
PASSED_ON: Final[Step] = ("gateway", CLIENT, ROUTE)
DECIDED: Final[Step] = ("assessment", SERVER, ROUTE)
ANNOUNCED: Final[Step] = ("assessment", PRODUCER, f"{FINALISED} publish")
PLANNED: Final[Step] = ("remediation", CONSUMER, f"{FINALISED} process")
TRAINED: Final[Step] = ("training", CONSUMER, f"{FINALISED} process")
REPORTED: Final[Step] = ("reporting", CONSUMER, f"{FINALISED} process")
ADVISED: Final[Step] = ("training", PRODUCER, f"{RECOMMENDED} publish")
NOTED: Final[Step] = ("remediation", CONSUMER, f"{RECOMMENDED} process")

EDGES: Final[tuple[tuple[Step, Step], ...]] = (
    (ENTERED, PASSED_ON),
    (PASSED_ON, DECIDED),
    (DECIDED, ("assessment", CLIENT, "visits.get")),
    (DECIDED, ("assessment", CLIENT, "visits.replace")),
    (DECIDED, ANNOUNCED),
    (ANNOUNCED, PLANNED),
    (ANNOUNCED, TRAINED),
    (ANNOUNCED, REPORTED),
    (PLANNED, ("remediation", CLIENT, "plans.insert")),
    (PLANNED, ("remediation", PRODUCER, f"{OPENED} publish")),
    (TRAINED, ("training", CLIENT, "courses.find")),
    (TRAINED, ("training", CLIENT, "recommendations.insert")),
    (TRAINED, ADVISED),
    (ADVISED, NOTED),
    (NOTED, ("remediation", CLIENT, "plans.get")),
    (NOTED, ("remediation", CLIENT, "plans.replace")),
    (REPORTED, ("reporting", CLIENT, "cards.get")),
    (REPORTED, ("reporting", CLIENT, "files.put")),
    (REPORTED, ("reporting", CLIENT, "results.insert")),
    (REPORTED, ("reporting", CLIENT, "reports.insert")),
    (REPORTED, ("reporting", PRODUCER, f"{FROZEN} publish")),
)
STEPS: Final = {step for edge in EDGES for step in edge}

SPAN_NAMES: Final = re.compile(
    r"(GET|POST|PUT|PATCH|DELETE|HEAD)( /[A-Za-z0-9_/.{}-]*)?"
    r"|[a-z_.]+\.v[0-9]+ (publish|process)|[a-z_]+\.[a-z_]+|outbox relay"
)
AN_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def step_of(span: Seen) -> Step:
    return span.service.removeprefix("star."), span.kind, span.name


def edges_of(spans: Collection[Seen]) -> set[tuple[Step, Step]]:
    """Which step followed from which, by the parents of the spans."""
    by_id = {span.span_id: span for span in spans}
    return {(step_of(by_id[span.parent]), step_of(span)) for span in spans if span.parent in by_id}


async def test_the_leaders_finalisation_is_one_trace_through_all_services(
    deployed_country: Country, deployed_country_world: DeployedWorld
) -> None:
    country, collector = deployed_country, deployed_country_world.collector
    factory = await country.factory()
    visit_id = await country.scheduled_visit(factory)
    await country.answer_all(visit_id)
    await country.sign(visit_id)
    answer = await country.do("leader", "POST", f"/visits/{visit_id}/finalisation")
    await country.followed_up(factory, visit_id)

    def missing() -> set[tuple[Step, Step]]:
        return set(EDGES) - edges_of(collector.of(answer.trace_id))

    async def is_whole() -> bool:
        left = missing()
        assert not left, left
        return True

    await eventually(is_whole, within_s=15, saying="every edge of the trace")
    spans = collector.of(answer.trace_id)
    roots = [span for span in spans if span.parent not in {each.span_id for each in spans}]
    assert [step_of(root) for root in roots] == [ENTERED]
    assert {step_of(span) for span in spans} >= STEPS
    for step in (ENTERED, PASSED_ON, DECIDED, ANNOUNCED, TRAINED, REPORTED, ADVISED):
        assert len([span for span in spans if step_of(span) == step]) == 1, step


async def test_a_publication_links_to_the_relay_that_sent_it(
    deployed_country: Country, deployed_country_world: DeployedWorld
) -> None:
    country, collector = deployed_country, deployed_country_world.collector
    case = await country.a_released_case()
    answer = await country.do("leader", "GET", f"/reports/{case.report_id}")
    await eventually(lambda: collector.of(answer.trace_id), saying="the read exported")
    spans = list(collector.spans)
    relays = {span.span_id for span in spans if span.name == "outbox relay"}
    published = [span for span in spans if span.kind == PRODUCER]
    assert published
    assert [span for span in published if set(span.links) & relays]


async def test_no_span_has_an_id_in_its_name_nor_a_token_among_its_attributes(
    deployed_country: Country, deployed_country_world: DeployedWorld
) -> None:
    case = await deployed_country.a_released_case()
    last = await deployed_country.do("leader", "GET", f"/reports/{case.report_id}/file")
    collector = deployed_country_world.collector
    await eventually(lambda: collector.of(last.trace_id), saying="the last read exported")
    for span in list(collector.spans):
        assert SPAN_NAMES.fullmatch(span.name), span.name
        assert not AN_ID.search(span.name), span.name
        told = repr(span.attributes)
        assert not AN_ID.search(told), span
        assert "eyJ" not in told, span


async def test_a_log_line_carries_the_trace_it_belongs_to(deployed_country_world: DeployedWorld) -> None:
    trace_id = new_id().replace("-", "")
    message = a_message(FINALISED, b"{}", traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
    await publish_by_hand(deployed_country_world, message)

    def logged() -> list[Logged]:
        lines = [line for line in deployed_country_world.log_lines() if trace_id in line]
        return [msgspec.json.decode(line, type=Logged) for line in lines]

    await eventually(lambda: len(logged()) >= 3, saying="a line of each listener")
    assert {(line.service, line.trace_id, line.level) for line in logged()} == {
        (listener, trace_id, "ERROR") for listener in ("remediation", "training", "reporting")
    }

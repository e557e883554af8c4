"""Evidence, notes and free text stay in the assessment service: nobody else reads, hears, logs or traces them."""

import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import pypdf
import pytest

from deploy.demo.path import photograph, plausible
from tests.journeys.country import ADVISORS, FINDINGS, Case, Country, Party, new_id
from tests.journeys.world import DeployedWorld, EmbeddedWorld, World
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(180)
SERVER = 2
"""The kind of a span that serves a request."""


class Canaries:
    """Words that are found nowhere by chance, one for each place where people write or upload."""

    def __init__(self) -> None:
        word = new_id().replace("-", "")
        self.note, self.text, self.photo = f"note{word}", f"text{word}", f"photo{word}"
        self.returned, self.pair, self.purpose = f"returned{word}", f"pair{word}", f"purpose{word}"
        self.approver, self.verified = f"approver{word}", f"verified{word}"
        self.evidence = (self.note, self.text, self.photo, self.returned, self.pair)
        self.all = (*self.evidence, self.purpose, self.approver, self.verified)


@contextlib.asynccontextmanager
async def overheard(world: World) -> AsyncIterator[list[bytes]]:
    """Everything that goes over the bus of a deployed country meanwhile, envelopes and bodies."""
    heard: list[bytes] = []
    if not isinstance(world, DeployedWorld):
        yield heard
        return
    connection = await aio_pika.connect(world.deployment.rabbitmq.url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("star.events", "#")

        async def note(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            heard.append(repr(message.headers).encode() + message.body)

        await queue.consume(note, no_ack=True)
        yield heard


async def a_case_full_of(canaries: Canaries, country: Country) -> tuple[Case, Party, str]:
    """A released and shared case in which everything that can be written or uploaded holds a canary."""
    factory, buyer = await country.factory(), await country.buyer()
    visit_id = await country.scheduled_visit(factory, pair_reason=canaries.pair)
    path = f"/visits/{visit_id}"
    photo = {"data": photograph() + canaries.photo.encode(), "headers": {"content-type": "image/png"}}
    evidence = (await country.do("advisor-1", "POST", f"{path}/evidence?question_id={FINDINGS[0]}", **photo)).json
    await country.answer_all(visit_id, note=canaries.note, text=canaries.text)
    question = next(each for each in (await country.form())["questions"] if each["id"] == FINDINGS[0])
    linked = {
        "question_id": FINDINGS[0],
        "value": plausible(question, "", is_bad=question["id"] in FINDINGS),
        "evidence": [evidence["id"]],
    }
    await country.do(ADVISORS[0], "PUT", f"{path}/answers", {"answers": [linked]})
    await country.sign(visit_id)
    await country.do("leader", "POST", f"{path}/return", {"reason": canaries.returned})
    await country.sign(visit_id)
    await country.do("leader", "POST", f"{path}/finalisation")
    case = await country.released(await country.followed_up(factory, visit_id))
    approver = {"name": canaries.approver, "role": "Manager"}
    await country.grant(case, buyer, purpose=canaries.purpose, approved_by=approver)
    note = {"status": "in_progress", "note": canaries.verified}
    await country.do("advisor-1", "POST", f"/plans/{case.plan_id}/lines/{FINDINGS[0]}/verification", note)
    await country.until_readable(buyer, f"/reports/{case.report_id}")
    return case, buyer, evidence["id"]


async def test_what_advisors_write_and_upload_is_read_by_the_programme_only(country: Country) -> None:
    canaries = Canaries()
    case, buyer, evidence_id = await a_case_full_of(canaries, country)
    visit = (await country.do("leader", "GET", f"/visits/{case.visit_id}")).body.decode()
    kept = (await country.do("leader", "GET", f"/visits/{case.visit_id}/evidence/{evidence_id}")).body
    assert all(word in visit for word in (canaries.note, canaries.text, canaries.returned, canaries.pair))
    assert kept.endswith(canaries.photo.encode())
    report, file = f"/reports/{case.report_id}", f"/reports/{case.report_id}/file"
    languages = (await country.do(buyer, "GET", report)).json["languages"]
    lists = ("/reports", "/plans", "/grants", "/factories", "/aggregates/compliance-points", "/questionnaires")
    for party in (buyer, case.factory):
        for path in (report, f"/plans/{case.plan_id}", *lists):
            body = (await country.do(party, "GET", path)).body
            assert not [word for word in canaries.evidence if word.encode() in body], path
        for language in languages:
            pdf = (await country.do(party, "GET", f"{file}?lang={language}")).body
            text = everything_in(pdf)
            assert case.factory.user.replace("maker-", "Maker ").encode() in text, "the text of the PDF was not read"
            assert not [word for word in canaries.evidence if word.encode() in text]
        for hidden in ("", f"/evidence/{evidence_id}", "/findings"):
            assert await country.status(party, f"/visits/{case.visit_id}{hidden}") == 404
    grants = (await country.do(buyer, "GET", "/grants")).body.decode()
    assert canaries.purpose in grants
    assert canaries.approver not in grants


def everything_in(pdf: bytes) -> bytes:
    """The text, the pictures, the attachments and the properties of a PDF, and its bytes."""
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    parts = [page.extract_text().encode() for page in reader.pages]
    parts += [image.data for page in reader.pages for image in page.images]
    parts += [content for contents in reader.attachments.values() for content in contents]
    return b"\n".join([*parts, repr(reader.metadata).encode(), pdf])


async def test_what_people_write_is_on_no_bus_in_no_log_and_in_no_span(country: Country) -> None:
    canaries, world = Canaries(), country.world
    async with overheard(world) as heard:
        case, _, _ = await a_case_full_of(canaries, country)
        await until_exported(country)
    assert world.log_lines(), "nothing was logged, so nothing was tried"
    if isinstance(world, DeployedWorld):
        assert sum(case.visit_id.encode() in message for message in heard) >= 5
    for word in canaries.all:
        assert not [message for message in heard if word.encode() in message]
        assert not [line for line in world.log_lines() if word in line]
        assert not [span for span in list(world.collector.spans) if word in repr(span)]


async def until_exported(country: Country) -> None:
    """Ask every service something more, and wait for its span: a process exports spans in the order of their end."""
    collector = country.world.collector
    for path in ("/factories", "/visits", "/plans", "/training/courses", "/reports"):
        trace_id = (await country.do("leader", "GET", f"{path}?limit=1")).trace_id

        def is_exported(of: str = trace_id) -> bool:
            return sum(each.kind == SERVER for each in collector.of(of)) == 2

        await eventually(is_exported, saying=f"the spans of the gateway and of the service of {path}")


async def test_no_other_service_keeps_what_advisors_write_and_upload(
    embedded_country: Country, embedded_country_world: EmbeddedWorld
) -> None:
    canaries = Canaries()
    await a_case_full_of(canaries, embedded_country)
    data = embedded_country_world.data
    holders = {word: _holders(data, word.encode()) for word in canaries.evidence}
    for word in (canaries.note, canaries.text, canaries.returned, canaries.pair):
        assert holders[word] == {"assessment"}, word
    assert holders[canaries.photo] == {"files/assessment"}


def _holders(data: Path, word: bytes) -> set[str]:
    """The databases (with their logs) and folders of files in which the word is found."""
    found: set[str] = set()
    for path in data.rglob("*"):
        if path.is_file() and word in path.read_bytes():
            parts = path.relative_to(data).parts
            found.add("/".join(parts[:2]) if parts[0] == "files" else parts[0].partition(".")[0])
    return found

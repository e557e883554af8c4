"""A stage for tests of every route: one of everything, and who may see it."""

import hashlib
import io

import openpyxl

from deploy.demo.path import QUESTIONNAIRE_ID, WORKBOOK, photograph
from tests.journeys.country import FINDINGS, Country, Party, new_id, today
from tests.journeys.routes import PDF, SCIM, SCIM_USER, TERMS, Stage


async def the_stage(country: Country) -> Stage:
    factory, buyer = await country.factory(), await country.buyer()
    visit_id = await country.scheduled_visit(factory)
    upload = {"data": photograph(), "headers": {"content-type": "image/png"}}
    evidence = (await country.do("advisor-1", "POST", f"/visits/{visit_id}/evidence", **upload)).json
    await country.answer_all(visit_id)
    await country.sign(visit_id)
    await country.do("leader", "POST", f"/visits/{visit_id}/finalisation")
    case = await country.released(await country.followed_up(factory, visit_id))
    grant_id = await country.grant(case, buyer)
    await country.until_readable(buyer, f"/reports/{case.report_id}")
    query = f"?factory_id={factory.id}"
    recommendations = await country.ids(factory, f"/training/recommendations{query}")
    courses = (await country.do("admin", "GET", "/training/courses")).json["items"]
    spare_buyer = await country.buyer()
    spare_questionnaire_id = new_id()
    await country.do("admin", "POST", f"/questionnaires?id={spare_questionnaire_id}", data=another_workbook())
    purchase = {"buyer_id": buyer.id, "credits": 3, "reference": f"Invoice of {buyer.id}"}
    await country.do("admin", "POST", "/purchases", purchase)
    dealt = await dealings(country, factory, buyer)
    group = await country.group()
    await country.belongs(factory, group.id, owner_may_grant=True)
    disclosed = await country.disclosure(case, (buyer,), cycles=[99])
    notices = (await country.do(factory, "GET", "/notices")).json["items"]
    sha256 = hashlib.sha256(visit_id.encode()).hexdigest()
    header = (await country.do("admin", "GET", "/results")).body.decode("utf-8-sig").splitlines()[0].split(",")
    begun = (await country.do("admin", "POST", "/imports", {"file_sha256": sha256, "header": header})).json
    hooks = [{"id": new_id(), "url": "https://buyer.example/hook"} for _ in range(2)]
    for hook in hooks:
        await country.do(buyer, "POST", "/webhooks", hook)
    directory, *members = await staffed(country)
    return Stage(
        factory=factory.user,
        group=group.user,
        buyer=buyer.user,
        directory=directory,
        other_factory=(await country.factory()).user,
        other_buyer=(await country.buyer()).user,
        ids={
            "factory_id": factory.id,
            "buyer_id": buyer.id,
            "visit_id": visit_id,
            "evidence_id": evidence["id"],
            "report_id": case.report_id,
            "plan_id": case.plan_id,
            "line_id": FINDINGS[0],
            "grant_id": grant_id,
            "webhook_id": hooks[0]["id"],
            **dealt,
            "organisation_id": group.id,
            "entitlement_id": f"partner-{buyer.id}",
            "disclosure_id": disclosed,
            "notice_id": notices[0]["id"],
            "questionnaire_id": QUESTIONNAIRE_ID,
            "recommendation_id": next(iter(recommendations)),
            "course_id": courses[0]["id"],
            "import_id": begun["id"],
            "user_id": members[0],
        },
        spare={
            "webhook_id": hooks[1]["id"],
            "grant_id": await country.grant(case, spare_buyer),
            "entitlement_id": f"partner-{spare_buyer.id}",
            "disclosure_id": await country.disclosure(case, (spare_buyer,)),
            "questionnaire_id": spare_questionnaire_id,
            "user_id": members[1],
        },
    )


async def dealings(country: Country, factory: Party, buyer: Party) -> dict[str, str]:
    """What the two have asked, agreed and signed; a request waits, and an agreement has no signature yet."""
    asked, agreement = new_id(), new_id()
    request = {"id": asked, "factory_id": factory.id, "purpose": "Sourcing"}
    await country.do(buyer, "POST", "/access-requests", request)
    proposal = {"id": agreement, "factory_id": factory.id, "buyer_id": buyer.id, "starts_on": today().isoformat()}
    await country.do(factory, "POST", "/agreements", proposal)
    await country.do(factory, "POST", f"/agreements/{agreement}/document", data=PDF)
    scan = (await country.do("leader", "POST", f"/consent-documents?factory_id={factory.id}", data=PDF)).json
    version = TERMS["terms_version"]
    await country.do("admin", "POST", f"/terms?version={version}", data=PDF)
    for party in (factory, buyer):
        await country.do(party, "POST", "/terms-acceptances", TERMS)
    return {"request_id": asked, "agreement_id": agreement, "document_id": scan["id"], "terms_version": version}


async def staffed(country: Country) -> list[str]:
    """A buyer's directory, and the ids of two members of the staff that it keeps."""
    directory = f"directory-of-{(await country.buyer()).user}"
    bodies = [{**SCIM_USER, "userName": new_id()} for _ in range(2)]
    answers = [await country.do(directory, "POST", f"{SCIM}/Users", body) for body in bodies]
    return [directory, *(answer.json["id"] for answer in answers)]


def another_workbook() -> bytes:
    """The demo questionnaire as another version."""
    book = openpyxl.load_workbook(WORKBOOK)
    settings = book["settings"]
    column = next(cell.column for cell in settings[1] if cell.value == "version")
    settings.cell(2, column, new_id()[:8] + new_id()[-8:])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()

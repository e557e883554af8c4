"""Every route of the public API with a request that is well-formed and the permission it takes.

The list is compared with the OpenAPI document: a new route without a line here fails the tests.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

import contracts
from contracts.permissions import Permission
from deploy.demo.path import WORKBOOK, photograph
from deploy.demo.people import TIME_ZONE
from tests.journeys.country import FINDINGS

DOCUMENT: Final[Any] = msgspec.json.decode((Path(contracts.__file__).parent / "openapi.json").read_bytes())
PREFIX: Final = "/api/v1"
Operation = tuple[str, str]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Things that exist: everything about one factory, with its group, a buyer that may see it and strangers.

    ``directory`` keeps the staff of a buyer that has nothing else.
    """

    factory: str
    group: str
    buyer: str
    directory: str
    other_factory: str
    other_buyer: str
    ids: Mapping[str, str]
    spare: Mapping[str, str]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A well-formed request: ``body`` is JSON and ``raw`` are bytes; either may name things of the stage by key.

    ``everybody`` says that the thing is reference data, which any role with the permission reads.
    """

    permission: Permission
    body: Mapping[str, object] | None = None
    raw: bytes = b""
    query: str = ""
    everybody: bool = False


_ANSWER: Final = {"answers": [{"question_id": FINDINGS[0], "value": "yes"}]}
_VISIT: Final = {
    "factory_id": "{factory_id}",
    "cycle": 7,
    "questionnaire_id": "{questionnaire_id}",
    "starts_on": "2026-01-05",
    "advisors": [{"id": "advisor-1", "sex": "female"}, {"id": "advisor-2", "sex": "male"}],
}
_COURSE: Final = {
    "titles": {"en": "Exits"},
    "audience": "Supervisors",
    "hours": 4,
    "place": "On site",
    "compliance_points": ["emergency_preparedness"],
}
_IMPORT: Final = {"file_sha256": "0" * 64, "header": ["unknown"]}
_FACTORY: Final = {"name": "A new factory", "industry": "C14", "time_zone": TIME_ZONE}
_DISCLOSURE: Final = {
    "factory_id": "{factory_id}",
    "buyer_ids": ["{buyer_id}"],
    "kinds": ["assessment"],
    "ends_on": (datetime.now(ZoneInfo(TIME_ZONE)).date() + timedelta(days=30)).isoformat(),
    "case": "Case 1",
    "reason": "Imminent danger that was reported",
}
_PURCHASE: Final = {"buyer_id": "{buyer_id}", "credits": 5, "reference": "Invoice 1"}
_GRANT: Final = {"factory_id": "{factory_id}", "buyer_id": "{buyer_id}", "purpose": "review"}
_REQUEST: Final = {"factory_id": "{factory_id}", "purpose": "Sourcing"}
_AGREEMENT: Final = {"factory_id": "{factory_id}", "buyer_id": "{buyer_id}", "starts_on": "2026-01-01"}
PDF: Final = b"%PDF-1.7\n%%EOF\n"
TERMS: Final = {"terms_version": "terms-1", "document_sha256": sha256(PDF).hexdigest(), "name": "Rana", "role": "owner"}
_ACCEPTANCE: Final = {"approved_by": {"name": "Rana"}}

CALLS: Final[Mapping[Operation, Call]] = {
    ("GET", "/access-requests"): Call(permission=Permission.REQUEST_READ),
    ("POST", "/access-requests"): Call(permission=Permission.REQUEST_MAKE, body=_REQUEST, everybody=True),
    ("POST", "/access-requests/bulk"): Call(
        permission=Permission.REQUEST_MAKE, body={"requests": [{"id": "bulk", **_REQUEST}]}, everybody=True
    ),
    ("GET", "/access-requests/{request_id}"): Call(permission=Permission.REQUEST_READ),
    ("POST", "/access-requests/{request_id}/acceptance"): Call(permission=Permission.REQUEST_ANSWER, body=_ACCEPTANCE),
    ("POST", "/access-requests/{request_id}/refusal"): Call(
        permission=Permission.REQUEST_ANSWER, body={"reason": "Not now"}
    ),
    ("POST", "/access-requests/{request_id}/withdrawal"): Call(permission=Permission.REQUEST_WITHDRAW),
    ("POST", "/access-request-answers"): Call(
        permission=Permission.REQUEST_ANSWER,
        body={"answers": [{"request_id": "none", "decision": "refuse", "reason": "Not now"}]},
        everybody=True,
    ),
    ("GET", "/agreements"): Call(permission=Permission.AGREEMENT_READ),
    ("POST", "/agreements"): Call(permission=Permission.AGREEMENT_PROPOSE, body=_AGREEMENT),
    ("GET", "/agreements/{agreement_id}"): Call(permission=Permission.AGREEMENT_READ),
    ("GET", "/agreements/{agreement_id}/document"): Call(permission=Permission.AGREEMENT_READ),
    ("POST", "/agreements/{agreement_id}/document"): Call(permission=Permission.AGREEMENT_PROPOSE, raw=PDF),
    ("POST", "/agreements/{agreement_id}/renewal"): Call(
        permission=Permission.AGREEMENT_PROPOSE, body={"starts_on": "2027-01-01"}
    ),
    ("POST", "/agreements/{agreement_id}/signature"): Call(
        permission=Permission.AGREEMENT_SIGN, body={"name": "Rana", "role": "owner", "document_sha256": "0" * 64}
    ),
    ("POST", "/agreements/{agreement_id}/suspension"): Call(
        permission=Permission.AGREEMENT_SUSPEND, body={"reason": "A dispute"}
    ),
    ("DELETE", "/agreements/{agreement_id}/suspension"): Call(permission=Permission.AGREEMENT_SUSPEND),
    ("POST", "/agreements/{agreement_id}/termination"): Call(
        permission=Permission.AGREEMENT_SUSPEND, body={"reason": "We part"}
    ),
    ("GET", "/aggregates/compliance-points"): Call(permission=Permission.AGGREGATE_READ),
    ("GET", "/buyers"): Call(permission=Permission.BUYER_READ, everybody=True),
    ("POST", "/buyers"): Call(permission=Permission.BUYER_REGISTER, body={"name": "A new buyer"}),
    ("PATCH", "/buyers/{buyer_id}"): Call(
        permission=Permission.BUYER_CHANGE, body={"name": "Renamed", "reason": "Signed"}
    ),
    ("POST", "/buyers/{buyer_id}/status"): Call(
        permission=Permission.BUYER_CHANGE, body={"status": "closed", "reason": "Left"}
    ),
    ("GET", "/buyers/{buyer_id}"): Call(permission=Permission.BUYER_READ, everybody=True),
    ("GET", "/changes"): Call(permission=Permission.CHANGE_READ),
    ("GET", "/consent-documents"): Call(permission=Permission.PAPER_READ),
    ("POST", "/consent-documents"): Call(permission=Permission.GRANT_RECORD, raw=PDF, query="factory_id={factory_id}"),
    ("GET", "/consent-documents/{document_id}"): Call(permission=Permission.PAPER_READ),
    ("POST", "/consent-documents/{document_id}/grant"): Call(
        permission=Permission.GRANT_RECORD,
        body={"buyer_id": "{buyer_id}", "purpose": "review", "approved_by": {"name": "Rana"}},
    ),
    ("POST", "/consent-documents/{document_id}/refusal"): Call(
        permission=Permission.GRANT_RECORD, body={"request_id": "{request_id}", "reason": "Not now"}
    ),
    ("POST", "/consent-documents/{document_id}/withdrawal"): Call(
        permission=Permission.GRANT_RECORD, body={"grant_id": "{grant_id}", "said_by": {"name": "Rana"}}
    ),
    ("GET", "/consent-ledger"): Call(permission=Permission.CONSENT_EXPORT),
    ("GET", "/disclosures"): Call(permission=Permission.DISCLOSURE_READ),
    ("POST", "/disclosures"): Call(permission=Permission.DISCLOSURE_REQUEST, body=_DISCLOSURE),
    ("GET", "/disclosures/{disclosure_id}"): Call(permission=Permission.DISCLOSURE_READ),
    ("DELETE", "/disclosures/{disclosure_id}"): Call(permission=Permission.DISCLOSURE_END),
    ("POST", "/disclosures/{disclosure_id}/confirmation"): Call(permission=Permission.DISCLOSURE_CONFIRM),
    ("GET", "/disclosures/{disclosure_id}/receipt"): Call(permission=Permission.DISCLOSURE_READ),
    ("POST", "/disclosures/{disclosure_id}/refusal"): Call(
        permission=Permission.DISCLOSURE_CONFIRM, body={"reason": "Not needed"}
    ),
    ("GET", "/entitlements"): Call(permission=Permission.ENTITLEMENT_READ),
    ("POST", "/entitlements"): Call(permission=Permission.ENTITLEMENT_GIVE, body={"buyer_id": "{buyer_id}"}),
    ("DELETE", "/entitlements/{entitlement_id}"): Call(
        permission=Permission.ENTITLEMENT_END, query="reason=Booked+twice"
    ),
    ("GET", "/factory-directory"): Call(permission=Permission.DIRECTORY_READ, everybody=True),
    ("PATCH", "/factories/{factory_id}"): Call(
        permission=Permission.FACTORY_CHANGE, body={"name": "Renamed", "reason": "Sold"}
    ),
    ("POST", "/factories/{factory_id}/status"): Call(
        permission=Permission.FACTORY_CHANGE, body={"status": "obsolete", "reason": "Closed"}
    ),
    ("GET", "/organisations"): Call(permission=Permission.ORGANISATION_READ, everybody=True),
    ("POST", "/organisations"): Call(
        permission=Permission.ORGANISATION_REGISTER, body={"kind": "group", "name": "A new group"}
    ),
    ("PATCH", "/organisations/{organisation_id}"): Call(
        permission=Permission.ORGANISATION_CHANGE, body={"name": "Renamed", "reason": "Sold"}
    ),
    ("GET", "/organisations/{organisation_id}"): Call(permission=Permission.ORGANISATION_READ, everybody=True),
    ("GET", "/terms"): Call(permission=Permission.TERMS_TEXT_READ, everybody=True),
    ("POST", "/terms"): Call(permission=Permission.TERMS_PUBLISH, raw=PDF, query="version=other"),
    ("GET", "/terms/{terms_version}/document"): Call(permission=Permission.TERMS_TEXT_READ, everybody=True),
    ("GET", "/terms-acceptances"): Call(permission=Permission.TERMS_READ),
    ("POST", "/terms-acceptances"): Call(permission=Permission.TERMS_ACCEPT, body=TERMS, everybody=True),
    ("GET", "/factories"): Call(permission=Permission.FACTORY_READ),
    ("POST", "/factories"): Call(permission=Permission.FACTORY_REGISTER, body=_FACTORY),
    ("GET", "/factories/{factory_id}"): Call(permission=Permission.FACTORY_READ),
    ("GET", "/factories/{factory_id}/read-log"): Call(permission=Permission.READ_LOG_READ),
    ("GET", "/factories/{factory_id}/read-log/head"): Call(permission=Permission.READ_LOG_READ),
    ("GET", "/grants"): Call(permission=Permission.GRANT_READ),
    ("POST", "/grants"): Call(permission=Permission.GRANT_GIVE, body=_GRANT),
    ("GET", "/grants/{grant_id}"): Call(permission=Permission.GRANT_READ),
    ("DELETE", "/grants/{grant_id}"): Call(permission=Permission.GRANT_REVOKE),
    ("GET", "/grants/{grant_id}/receipt"): Call(permission=Permission.GRANT_READ),
    ("POST", "/imports"): Call(permission=Permission.RESULTS_IMPORT, body=_IMPORT),
    ("GET", "/imports/{import_id}"): Call(permission=Permission.RESULTS_IMPORT),
    ("POST", "/imports/{import_id}/completion"): Call(permission=Permission.RESULTS_IMPORT),
    ("POST", "/imports/{import_id}/rows"): Call(
        permission=Permission.RESULTS_IMPORT, raw=b"a,b\n", query="first_line=2"
    ),
    ("GET", "/notices"): Call(permission=Permission.NOTICE_READ),
    ("POST", "/notices/{notice_id}/reading"): Call(permission=Permission.NOTICE_READ),
    ("GET", "/plans"): Call(permission=Permission.PLAN_READ),
    ("GET", "/plans/{plan_id}"): Call(permission=Permission.PLAN_READ),
    ("GET", "/plans/{plan_id}/progress"): Call(permission=Permission.PLAN_READ),
    ("PATCH", "/plans/{plan_id}/lines/{line_id}"): Call(
        permission=Permission.PLAN_REPORT, body={"action": "Look daily"}
    ),
    ("POST", "/plans/{plan_id}/lines/{line_id}/verification"): Call(
        permission=Permission.PLAN_VERIFY, body={"status": "in_progress"}
    ),
    ("GET", "/portfolio"): Call(permission=Permission.PORTFOLIO_READ),
    ("GET", "/purchases"): Call(permission=Permission.CREDIT_READ),
    ("POST", "/purchases"): Call(permission=Permission.CREDIT_SELL, body=_PURCHASE),
    ("GET", "/questionnaires"): Call(permission=Permission.QUESTIONNAIRE_READ, everybody=True),
    ("POST", "/questionnaires"): Call(permission=Permission.QUESTIONNAIRE_PUBLISH, raw=WORKBOOK.read_bytes()),
    ("GET", "/questionnaires/{questionnaire_id}"): Call(permission=Permission.QUESTIONNAIRE_READ, everybody=True),
    ("GET", "/questionnaires/{questionnaire_id}/file"): Call(permission=Permission.QUESTIONNAIRE_READ, everybody=True),
    ("POST", "/questionnaires/{questionnaire_id}/publication"): Call(permission=Permission.QUESTIONNAIRE_PUBLISH),
    ("POST", "/questionnaires/{questionnaire_id}/retirement"): Call(permission=Permission.QUESTIONNAIRE_PUBLISH),
    ("GET", "/reads"): Call(permission=Permission.READ_LOG_READ),
    ("GET", "/reports"): Call(permission=Permission.REPORT_READ),
    ("GET", "/reports/{report_id}"): Call(permission=Permission.REPORT_READ),
    ("GET", "/reports/{report_id}/file"): Call(permission=Permission.REPORT_READ),
    ("POST", "/reports/{report_id}/release"): Call(permission=Permission.REPORT_RELEASE),
    ("GET", "/results"): Call(permission=Permission.RESULTS_EXPORT),
    ("GET", "/statement"): Call(permission=Permission.CREDIT_READ),
    ("GET", "/training/courses"): Call(permission=Permission.COURSE_READ, everybody=True),
    ("POST", "/training/courses"): Call(permission=Permission.COURSE_OFFER, body=_COURSE),
    ("GET", "/training/courses/{course_id}"): Call(permission=Permission.COURSE_READ, everybody=True),
    ("GET", "/training/recommendations"): Call(permission=Permission.RECOMMENDATION_READ),
    ("GET", "/training/recommendations/{recommendation_id}"): Call(permission=Permission.RECOMMENDATION_READ),
    ("GET", "/visits"): Call(permission=Permission.VISIT_READ),
    ("POST", "/visits"): Call(permission=Permission.VISIT_SCHEDULE, body=_VISIT),
    ("GET", "/visits/{visit_id}"): Call(permission=Permission.VISIT_READ),
    ("PUT", "/visits/{visit_id}/answers"): Call(permission=Permission.VISIT_ANSWER, body=_ANSWER),
    ("POST", "/visits/{visit_id}/cancellation"): Call(
        permission=Permission.VISIT_SCHEDULE, body={"reason": "Called off"}
    ),
    ("POST", "/visits/{visit_id}/evidence"): Call(permission=Permission.VISIT_ANSWER, raw=photograph()),
    ("GET", "/visits/{visit_id}/evidence/{evidence_id}"): Call(permission=Permission.VISIT_READ),
    ("POST", "/visits/{visit_id}/finalisation"): Call(permission=Permission.VISIT_FINALISE),
    ("GET", "/visits/{visit_id}/findings"): Call(permission=Permission.VISIT_READ),
    ("POST", "/visits/{visit_id}/return"): Call(permission=Permission.VISIT_FINALISE, body={"reason": "Look again"}),
    ("POST", "/visits/{visit_id}/submission"): Call(permission=Permission.VISIT_ANSWER),
    ("GET", "/webhooks"): Call(permission=Permission.WEBHOOK_MANAGE),
    ("POST", "/webhooks"): Call(
        permission=Permission.WEBHOOK_MANAGE, body={"url": "https://buyer.example/hook"}, everybody=True
    ),
    ("GET", "/webhooks/{webhook_id}"): Call(permission=Permission.WEBHOOK_MANAGE),
    ("DELETE", "/webhooks/{webhook_id}"): Call(permission=Permission.WEBHOOK_MANAGE),
    ("POST", "/webhooks/{webhook_id}/enabling"): Call(permission=Permission.WEBHOOK_MANAGE),
    ("POST", "/webhooks/{webhook_id}/secret"): Call(permission=Permission.WEBHOOK_MANAGE),
}

SCIM: Final = "/../../scim/v2"
"""Where buyers' directories ask, seen from the prefix of the API."""
SCIM_USER: Final = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "somebody"}
_PATCH: Final = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "replace", "path": "active", "value": False}],
}
DIRECTORY: Final[Mapping[Operation, Call]] = {
    (method, f"{SCIM}{path}"): Call(permission=Permission.MEMBER_PROVISION, body=body)
    for method, path, body in (
        ("GET", "/ServiceProviderConfig", None),
        ("GET", "/ResourceTypes", None),
        ("GET", "/ResourceTypes/User", None),
        ("GET", "/Schemas", None),
        ("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", None),
        ("POST", "/.search", {}),
        ("POST", "/Users/.search", {}),
        ("GET", "/Users", None),
        ("POST", "/Users", SCIM_USER),
        ("GET", "/Users/{user_id}", None),
        ("PUT", "/Users/{user_id}", SCIM_USER),
        ("PATCH", "/Users/{user_id}", _PATCH),
        ("DELETE", "/Users/{user_id}", None),
    )
}
"""What is public and not in the OpenAPI document, because SCIM describes itself."""
EVERY_CALL: Final[Mapping[Operation, Call]] = {**CALLS, **DIRECTORY}

PUBLIC: Final[frozenset[Operation]] = frozenset({("GET", "/openapi.json")})


def operations(document: Any = DOCUMENT) -> list[Operation]:
    """Every operation of an OpenAPI document, without the prefix of its paths."""
    return [
        (method.upper(), path.removeprefix(PREFIX))
        for path, methods in document["paths"].items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    ]


def filled(template: Any, ids: Mapping[str, str]) -> Any:
    """A path or body with the ids put in."""
    if isinstance(template, str):
        return template.format(**ids) if "{" in template else template
    if isinstance(template, Mapping):
        return {key: filled(value, ids) for key, value in template.items()}
    return [filled(item, ids) for item in template] if isinstance(template, list) else template

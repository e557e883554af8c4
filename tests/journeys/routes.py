"""Every route of the public API with a request that is well-formed and the permission it takes.

The list is compared with the OpenAPI document: a new route without a line here fails the tests.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

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
    """Things that exist: everything about one factory, with a buyer that may see it and strangers that may not."""

    factory: str
    buyer: str
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
_GRANT: Final = {"factory_id": "{factory_id}", "buyer_id": "{buyer_id}"}

CALLS: Final[Mapping[Operation, Call]] = {
    ("GET", "/aggregates/compliance-points"): Call(permission=Permission.AGGREGATE_READ),
    ("GET", "/buyers"): Call(permission=Permission.BUYER_READ, everybody=True),
    ("POST", "/buyers"): Call(permission=Permission.BUYER_REGISTER, body={"name": "A new buyer"}),
    ("GET", "/buyers/{buyer_id}"): Call(permission=Permission.BUYER_READ, everybody=True),
    ("GET", "/consent-ledger"): Call(permission=Permission.CONSENT_EXPORT),
    ("GET", "/factories"): Call(permission=Permission.FACTORY_READ),
    ("POST", "/factories"): Call(permission=Permission.FACTORY_REGISTER, body=_FACTORY),
    ("GET", "/factories/{factory_id}"): Call(permission=Permission.FACTORY_READ),
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
    ("GET", "/plans"): Call(permission=Permission.PLAN_READ),
    ("GET", "/plans/{plan_id}"): Call(permission=Permission.PLAN_READ),
    ("PATCH", "/plans/{plan_id}/lines/{line_id}"): Call(
        permission=Permission.PLAN_REPORT, body={"action": "Look daily"}
    ),
    ("POST", "/plans/{plan_id}/lines/{line_id}/verification"): Call(
        permission=Permission.PLAN_VERIFY, body={"status": "in_progress"}
    ),
    ("GET", "/questionnaires"): Call(permission=Permission.QUESTIONNAIRE_READ, everybody=True),
    ("POST", "/questionnaires"): Call(permission=Permission.QUESTIONNAIRE_PUBLISH, raw=WORKBOOK.read_bytes()),
    ("GET", "/questionnaires/{questionnaire_id}"): Call(permission=Permission.QUESTIONNAIRE_READ, everybody=True),
    ("GET", "/questionnaires/{questionnaire_id}/file"): Call(permission=Permission.QUESTIONNAIRE_READ, everybody=True),
    ("POST", "/questionnaires/{questionnaire_id}/publication"): Call(permission=Permission.QUESTIONNAIRE_PUBLISH),
    ("POST", "/questionnaires/{questionnaire_id}/retirement"): Call(permission=Permission.QUESTIONNAIRE_PUBLISH),
    ("GET", "/reports"): Call(permission=Permission.REPORT_READ),
    ("GET", "/reports/{report_id}"): Call(permission=Permission.REPORT_READ),
    ("GET", "/reports/{report_id}/file"): Call(permission=Permission.REPORT_READ),
    ("POST", "/reports/{report_id}/release"): Call(permission=Permission.REPORT_RELEASE),
    ("GET", "/results"): Call(permission=Permission.RESULTS_EXPORT),
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
}

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

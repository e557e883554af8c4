"""Who may do what: one table of roles and permissions.

A permission reads ``<service>:<noun>:<verb>``. What of the country it reaches is the caller's ``Scope``
(identity.py); a role that lacks the permission is answered 403 on a collection and 404 on a single thing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from contracts.identity import Principal, Role


class Permission(StrEnum):
    """Every act that a person can be allowed, in alphabetical order."""

    BUYER_READ = "access:buyer:read"
    BUYER_REGISTER = "access:buyer:register"
    CONSENT_EXPORT = "access:consent:export"
    CONSENT_FOLLOW = "access:consent:follow"
    FACTORY_READ = "access:factory:read"
    FACTORY_REGISTER = "access:factory:register"
    GRANT_GIVE = "access:grant:give"
    GRANT_READ = "access:grant:read"
    GRANT_REVOKE = "access:grant:revoke"
    QUESTIONNAIRE_PUBLISH = "assessment:questionnaire:publish"
    QUESTIONNAIRE_READ = "assessment:questionnaire:read"
    RESULTS_IMPORT = "assessment:results:import"
    RESULTS_EXPORT = "assessment:results:export"
    VISIT_ANSWER = "assessment:visit:answer"
    VISIT_FINALISE = "assessment:visit:finalise"
    VISIT_READ = "assessment:visit:read"
    VISIT_SCHEDULE = "assessment:visit:schedule"
    PLAN_READ = "remediation:plan:read"
    PLAN_REPORT = "remediation:plan:report"
    PLAN_VERIFY = "remediation:plan:verify"
    AGGREGATE_READ = "reporting:aggregate:read"
    REPORT_READ = "reporting:report:read"
    REPORT_RELEASE = "reporting:report:release"
    COURSE_OFFER = "training:course:offer"
    COURSE_READ = "training:course:read"
    RECOMMENDATION_READ = "training:recommendation:read"


P = Permission

_STAFF_READS: Final = frozenset(
    {
        P.BUYER_READ,
        P.FACTORY_READ,
        P.QUESTIONNAIRE_READ,
        P.VISIT_READ,
        P.PLAN_READ,
        P.AGGREGATE_READ,
        P.REPORT_READ,
        P.COURSE_READ,
        P.RECOMMENDATION_READ,
    }
)

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.ADMINISTRATOR: _STAFF_READS
    | {
        P.BUYER_REGISTER,
        P.CONSENT_EXPORT,
        P.FACTORY_REGISTER,
        P.GRANT_READ,
        P.QUESTIONNAIRE_PUBLISH,
        P.RESULTS_IMPORT,
        P.RESULTS_EXPORT,
        P.VISIT_SCHEDULE,
        P.REPORT_RELEASE,
        P.COURSE_OFFER,
    },
    Role.ADVISOR: _STAFF_READS | {P.VISIT_ANSWER, P.PLAN_VERIFY},
    Role.TEAM_LEADER: _STAFF_READS | {P.VISIT_SCHEDULE, P.VISIT_FINALISE, P.PLAN_VERIFY, P.REPORT_RELEASE},
    Role.FACTORY: frozenset(
        {
            P.BUYER_READ,
            P.FACTORY_READ,
            P.GRANT_GIVE,
            P.GRANT_READ,
            P.GRANT_REVOKE,
            P.QUESTIONNAIRE_READ,
            P.PLAN_READ,
            P.PLAN_REPORT,
            P.AGGREGATE_READ,
            P.REPORT_READ,
            P.COURSE_READ,
            P.RECOMMENDATION_READ,
        }
    ),
    Role.BUYER: frozenset(
        {
            P.FACTORY_READ,
            P.GRANT_READ,
            P.QUESTIONNAIRE_READ,
            P.PLAN_READ,
            P.AGGREGATE_READ,
            P.REPORT_READ,
            P.COURSE_READ,
        }
    ),
    Role.GATEWAY: frozenset({P.CONSENT_FOLLOW}),
    Role.ANALYST: frozenset({P.QUESTIONNAIRE_READ, P.AGGREGATE_READ, P.COURSE_READ}),
}


def may(principal: Principal, permission: Permission) -> bool:
    """Whether any of the caller's roles allows the act at all."""
    return any(permission in PERMISSIONS[role] for role in principal.roles)

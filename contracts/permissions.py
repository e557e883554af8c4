"""Who may do what: one table of roles and permissions.

A permission reads ``<service>:<noun>:<verb>``. What of the country it reaches is the caller's ``Scope``
(identity.py); a role that lacks the permission is answered 403 on a collection and 404 on a single thing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from contracts.identity import Principal, Role, Scope


class Permission(StrEnum):
    """Every act that a person can be allowed, in alphabetical order."""

    AGREEMENT_PROPOSE = "access:agreement:propose"
    AGREEMENT_READ = "access:agreement:read"
    AGREEMENT_SIGN = "access:agreement:sign"
    AGREEMENT_SUSPEND = "access:agreement:suspend"
    BUYER_CHANGE = "access:buyer:change"
    BUYER_READ = "access:buyer:read"
    BUYER_REGISTER = "access:buyer:register"
    CHANGE_READ = "access:change:read"
    CONSENT_EXPORT = "access:consent:export"
    CONSENT_FOLLOW = "access:consent:follow"
    CREDIT_READ = "access:credit:read"
    CREDIT_SELL = "access:credit:sell"
    DIRECTORY_READ = "access:directory:read"
    DISCLOSURE_CONFIRM = "access:disclosure:confirm"
    DISCLOSURE_END = "access:disclosure:end"
    DISCLOSURE_READ = "access:disclosure:read"
    DISCLOSURE_REQUEST = "access:disclosure:request"
    ENTITLEMENT_END = "access:entitlement:end"
    ENTITLEMENT_GIVE = "access:entitlement:give"
    ENTITLEMENT_READ = "access:entitlement:read"
    FACTORY_CHANGE = "access:factory:change"
    FACTORY_READ = "access:factory:read"
    FACTORY_REGISTER = "access:factory:register"
    GRANT_GIVE = "access:grant:give"
    GRANT_READ = "access:grant:read"
    GRANT_RECORD = "access:grant:record"
    GRANT_REVOKE = "access:grant:revoke"
    MEMBER_PROVISION = "access:member:provision"
    NOTICE_READ = "access:notice:read"
    ORGANISATION_READ = "access:organisation:read"
    ORGANISATION_REGISTER = "access:organisation:register"
    PAPER_READ = "access:paper:read"
    READ_RECORD = "access:read:record"
    READ_LOG_READ = "access:read_log:read"
    REPETITION_KEEP = "access:repetition:keep"
    REQUEST_ANSWER = "access:request:answer"
    REQUEST_MAKE = "access:request:make"
    REQUEST_READ = "access:request:read"
    REQUEST_WITHDRAW = "access:request:withdraw"
    WEBHOOK_MANAGE = "access:webhook:manage"
    TERMS_ACCEPT = "access:terms:accept"
    TERMS_PUBLISH = "access:terms:publish"
    TERMS_READ = "access:terms:read"
    TERMS_TEXT_READ = "access:terms_text:read"
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
    PORTFOLIO_READ = "reporting:portfolio:read"
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
        P.ORGANISATION_READ,
        P.TERMS_TEXT_READ,
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
        P.AGREEMENT_PROPOSE,
        P.AGREEMENT_READ,
        P.AGREEMENT_SUSPEND,
        P.BUYER_CHANGE,
        P.BUYER_REGISTER,
        P.CONSENT_EXPORT,
        P.CREDIT_READ,
        P.CREDIT_SELL,
        P.DISCLOSURE_CONFIRM,
        P.DISCLOSURE_END,
        P.DISCLOSURE_READ,
        P.DISCLOSURE_REQUEST,
        P.ENTITLEMENT_END,
        P.ENTITLEMENT_GIVE,
        P.ENTITLEMENT_READ,
        P.FACTORY_CHANGE,
        P.FACTORY_REGISTER,
        P.GRANT_READ,
        P.GRANT_RECORD,
        P.ORGANISATION_REGISTER,
        P.PAPER_READ,
        P.QUESTIONNAIRE_PUBLISH,
        P.READ_LOG_READ,
        P.REQUEST_READ,
        P.TERMS_PUBLISH,
        P.TERMS_READ,
        P.RESULTS_IMPORT,
        P.RESULTS_EXPORT,
        P.VISIT_SCHEDULE,
        P.REPORT_RELEASE,
        P.COURSE_OFFER,
    },
    Role.ADVISOR: _STAFF_READS | {P.VISIT_ANSWER, P.PLAN_VERIFY},
    Role.TEAM_LEADER: _STAFF_READS
    | {
        P.DISCLOSURE_END,
        P.DISCLOSURE_READ,
        P.DISCLOSURE_REQUEST,
        P.GRANT_RECORD,
        P.PAPER_READ,
        P.VISIT_SCHEDULE,
        P.VISIT_FINALISE,
        P.PLAN_VERIFY,
        P.REPORT_RELEASE,
    },
    Role.FACTORY: frozenset(
        {
            P.AGREEMENT_PROPOSE,
            P.AGREEMENT_READ,
            P.AGREEMENT_SIGN,
            P.AGREEMENT_SUSPEND,
            P.BUYER_READ,
            P.DISCLOSURE_END,  # to be told that it cannot take one back
            P.DISCLOSURE_READ,
            P.FACTORY_READ,
            P.GRANT_GIVE,
            P.GRANT_READ,
            P.GRANT_REVOKE,
            P.ORGANISATION_READ,
            P.PAPER_READ,
            P.NOTICE_READ,
            P.QUESTIONNAIRE_READ,
            P.PLAN_READ,
            P.PLAN_REPORT,
            P.READ_LOG_READ,
            P.REQUEST_ANSWER,
            P.REQUEST_READ,
            P.TERMS_ACCEPT,
            P.TERMS_READ,
            P.TERMS_TEXT_READ,
            P.AGGREGATE_READ,
            P.REPORT_READ,
            P.COURSE_READ,
            P.RECOMMENDATION_READ,
        }
    ),
    Role.BUYER: frozenset(
        {
            P.AGREEMENT_PROPOSE,
            P.AGREEMENT_READ,
            P.AGREEMENT_SIGN,
            P.AGREEMENT_SUSPEND,
            P.CHANGE_READ,
            P.CREDIT_READ,
            P.DIRECTORY_READ,
            P.DISCLOSURE_READ,
            P.ENTITLEMENT_GIVE,
            P.ENTITLEMENT_READ,
            P.FACTORY_READ,
            P.GRANT_READ,
            P.REQUEST_MAKE,
            P.REQUEST_READ,
            P.REQUEST_WITHDRAW,
            P.TERMS_ACCEPT,
            P.TERMS_READ,
            P.TERMS_TEXT_READ,
            P.QUESTIONNAIRE_READ,
            P.PLAN_READ,
            P.AGGREGATE_READ,
            P.PORTFOLIO_READ,
            P.REPORT_READ,
            P.COURSE_READ,
            P.WEBHOOK_MANAGE,
        }
    ),
    Role.BUYER_PROVISIONER: frozenset({P.MEMBER_PROVISION}),
    Role.GATEWAY: frozenset({P.CONSENT_FOLLOW, P.READ_RECORD, P.REPETITION_KEEP}),
    Role.ANALYST: frozenset({P.TERMS_TEXT_READ, P.QUESTIONNAIRE_READ, P.AGGREGATE_READ, P.COURSE_READ}),
    Role.GROUP: frozenset(
        {
            P.AGREEMENT_READ,
            P.FACTORY_READ,
            P.GRANT_GIVE,
            P.GRANT_READ,
            P.GRANT_REVOKE,
            P.PAPER_READ,
            P.QUESTIONNAIRE_READ,
            P.PLAN_READ,
            P.READ_LOG_READ,
            P.REQUEST_ANSWER,
            P.REQUEST_READ,
            P.TERMS_TEXT_READ,
            P.AGGREGATE_READ,
            P.REPORT_READ,
            P.COURSE_READ,
            P.RECOMMENDATION_READ,
        }
    ),
    Role.MINISTRY: frozenset({P.TERMS_TEXT_READ, P.QUESTIONNAIRE_READ, P.AGGREGATE_READ, P.COURSE_READ}),
}


def may(principal: Principal, permission: Permission) -> bool:
    """Whether any of the caller's roles allows the act at all."""
    return any(permission in PERMISSIONS[role] for role in principal.roles)


def scope_for(principal: Principal, permission: Permission) -> Scope:
    """What the caller may see by the roles that hold this permission, and by no other role."""
    holding = frozenset(role for role in principal.roles if permission in PERMISSIONS[role])
    return msgspec.structs.replace(principal, roles=holding).scope()

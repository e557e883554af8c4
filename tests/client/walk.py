"""A program that somebody writes against the generated client: ``walk URL``, with tokens and ids on standard input.

It says on standard output what it found, as JSON. The generated package is on its path; mypy reads both, strictly.
"""

import json
import sys
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from star_client.api.access import (
    access_api_v1_factories_factory_id_read_factory as read_factory,
)
from star_client.api.access import access_api_v1_factories_list_factories as list_factories
from star_client.api.access import access_api_v1_factories_register_factory as register_factory
from star_client.api.access import access_api_v1_grants_give_grant as give_grant
from star_client.api.access import access_api_v1_grants_grant_id_read_grant as read_grant
from star_client.api.access import access_api_v1_grants_grant_id_revoke_grant as revoke_grant
from star_client.api.remediation import remediation_api_v1_plans_list_plans as list_plans
from star_client.api.reporting import reporting_api_v1_reports_list_reports as list_reports
from star_client.api.reporting import reporting_api_v1_reports_report_id_file_read_file as read_file
from star_client.api.reporting import reporting_api_v1_reports_report_id_read_report as read_report
from star_client.api.training import training_api_v1_training_courses_list_courses as list_courses
from star_client.client import AuthenticatedClient, Client
from star_client.models import NewFactory, NewGrant, Problem
from star_client.types import Unset

PAGE = 2
T = TypeVar("T")


def granted(answer: T | Problem | None) -> T:
    """What was asked for, and no refusal."""
    assert answer is not None
    assert not isinstance(answer, Problem), answer
    return answer


def refusal(answer: object) -> Problem:
    """The problem that an answer is."""
    assert isinstance(answer, Problem)
    return answer


def every_factory(client: AuthenticatedClient) -> list[str]:
    """The ids on all pages of the list of factories."""
    found: list[str] = []
    cursor: str | Unset | None = Unset()
    while cursor is not None:
        page = granted(list_factories.sync(client=client, limit=PAGE, cursor=cursor))
        assert len(page.items) <= PAGE
        found += [each.id for each in page.items]
        cursor = page.next_cursor
    return found


def registered(client: AuthenticatedClient, name: str) -> str:
    """The id of a factory that joins."""
    body = NewFactory(name=name, industry="C14", time_zone="Asia/Amman")
    made: str = granted(register_factory.sync(client=client, body=body)).id
    return made


def given_and_withdrawn(factory: AuthenticatedClient, factory_id: str, buyer_id: str) -> list[str | None]:
    """Whom a grant was about, and when it was withdrawn."""
    body = NewGrant(factory_id=factory_id, buyer_id=buyer_id, purpose="Typed")
    given = granted(give_grant.sync(client=factory, body=body))
    assert given.revoked_at is None
    assert revoke_grant.sync_detailed(given.id, client=factory).status_code == HTTPStatus.NO_CONTENT
    kept = granted(read_grant.sync(given.id, client=factory))
    assert isinstance(kept.revoked_at, datetime)
    return [kept.factory_id, kept.buyer_id, kept.purpose]


def main(url: str) -> None:
    """Walk and tell."""
    given = json.load(sys.stdin)
    admin, factory, buyer = (
        AuthenticatedClient(base_url=url, token=given[user], raise_on_unexpected_status=True)
        for user in ("admin", "factory", "buyer")
    )
    new = [registered(admin, f"Typed {number}") for number in range(PAGE + 1)]
    report = granted(read_report.sync(given["report_id"], client=buyer))
    reports = granted(list_reports.sync(client=buyer))
    plans, courses = granted(list_plans.sync(client=buyer)), granted(list_courses.sync(client=buyer))
    file = read_file.sync_detailed(given["report_id"], client=buyer)
    absent = refusal(read_factory.sync("nowhere", client=admin))
    stranger = Client(base_url=url, raise_on_unexpected_status=True)
    unknown = refusal(list_reports.sync(client=stranger))
    broken = refusal(list_factories.sync(client=admin, cursor="forged"))
    told = {
        "registered": new,
        "listed": every_factory(admin),
        "report": [report.id, report.factory_id, report.snapshot.factory.id],
        "reports": [each.id for each in reports.items],
        "plans": [each.factory_id for each in plans.items],
        "courses": len(courses.items),
        "file": [file.status_code, file.headers["content-type"], file.content[:5].decode()],
        "grant": given_and_withdrawn(factory, given["factory_id"], given["buyer_id"]),
        "refusals": [[each.status, each.code, bool(each.trace_id)] for each in (absent, unknown, broken)],
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])

"""The HTTP routes of reports and rates: parse, authorise, call, answer."""

from datetime import UTC, datetime
from typing import Annotated

from litestar import MediaType, Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter

from contracts.answers import about
from contracts.identity import Principal
from contracts.permissions import Permission
from services.reporting import queries, usecases
from services.reporting.domain.report import Report
from services.reporting.domain.snapshot import Snapshot
from services.reporting.evidence.files import ReportFiles
from services.reporting.queries import Aggregate, ReportPage, ReportView, version_of
from services.reporting.store import Reports, Results
from services.runtime.http import Injected, requires

Limit = Annotated[int, Parameter(ge=1, le=200, description="Page size")]
Cycle = Annotated[int | None, Parameter(ge=0, le=10_000, description="Service cycle of the factories")]
Asking = Request[object, object, State]


class ReportWithSnapshot(ReportView, frozen=True, kw_only=True):
    """A report with everything that was frozen of the visit."""

    snapshot: Snapshot


@get("/reports", guards=[requires(Permission.REPORT_READ)])
async def list_reports(
    principal: Injected[Principal],
    reports: Injected[Reports],
    factory_id: str | None = None,
    cycle: Cycle = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> ReportPage:
    """List the reports that the caller may read, latest visit first."""
    scope = principal.scope()
    return await queries.list_reports(reports, scope, factory_id=factory_id, cycle=cycle, limit=limit, after=cursor)


@get(
    "/reports/{report_id:str}",
    guards=[requires(Permission.REPORT_READ)],
    responses={200: ResponseSpec(ReportWithSnapshot, description="The report with its frozen content")},
)
async def read_report(
    request: Asking,
    principal: Injected[Principal],
    reports: Injected[Reports],
    report_files: Injected[ReportFiles],
    report_id: str,
) -> Response[bytes]:
    """Read one report with its frozen content."""
    report = await reports.get(report_id, principal.scope())
    headers = _headers(report, f"json.{queries.VIEW}")
    if _is_known(request, headers):
        return Response(b"", status_code=304, headers=headers)
    content = await queries.read_content(report_files, report)
    return Response(content, media_type=MediaType.JSON, headers=headers)


@get(
    "/reports/{report_id:str}/file",
    guards=[requires(Permission.REPORT_READ)],
    responses={
        200: ResponseSpec(
            bytes, description="The printed report", media_type="application/pdf", generate_examples=False
        )
    },
)
async def read_file(
    request: Asking,
    principal: Injected[Principal],
    reports: Injected[Reports],
    report_files: Injected[ReportFiles],
    report_id: str,
    lang: str | None = None,
) -> Response[bytes]:
    """Read one report as a PDF in one of its languages."""
    report = await reports.get(report_id, principal.scope())
    language = queries.language_of(report, lang)
    headers = _headers(report, f"pdf.{language}.{await report_files.edition()}")
    headers["content-disposition"] = f'inline; filename="report-{report.id}-{language}.pdf"'
    headers["content-language"] = language
    if _is_known(request, headers):
        return Response(b"", status_code=304, headers=headers)
    document = await report_files.pdf(report, language)
    return Response(document, media_type="application/pdf", headers=headers)


@post("/reports/{report_id:str}/release", guards=[requires(Permission.REPORT_RELEASE)], status_code=200)
async def release_report(
    principal: Injected[Principal], reports: Injected[Reports], report_id: str
) -> Response[ReportView]:
    """Let the factory and the buyers that it approves read the report; there is no way back."""
    report = await usecases.release_report(reports, principal, report_id, now=datetime.now(UTC))
    return Response(ReportView.of(report), headers=_marks(report))


@get("/aggregates/compliance-points", guards=[requires(Permission.AGGREGATE_READ)])
async def compliance_points(
    principal: Injected[Principal],
    results: Injected[Results],
    cycle: Cycle = None,
    industry: str | None = None,
) -> Aggregate:
    """Rates of non-compliance by cluster and compliance point; small groups are withheld."""
    return await queries.compliance_points(results, principal, cycle=cycle, industry=industry)


def _marks(report: Report) -> dict[str, str]:
    """What the gateway decides by, again, before it lets the first byte out."""
    return about(report.factory_id, (report.kind,), report.cycle, report.id)


def _headers(report: Report, form: str) -> dict[str, str]:
    """The marks and the validator; a kept copy must ask again, because an approval can end."""
    return {**_marks(report), "etag": version_of(report, form), "cache-control": "private, no-cache"}


def _is_known(request: Asking, headers: dict[str, str]) -> bool:
    """Whether the caller already has this form (``If-None-Match``, compared weakly)."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return headers["etag"] in known or known == ["*"]


def routes() -> Router:
    """Every public route of reporting."""
    handlers = [list_reports, read_report, read_file, release_report, compliance_points]
    return Router("/api/v1", route_handlers=handlers, tags=["reporting"])

"""The Litestar factory: identity, RFC 9457 problems with a trace id, health with real checks, OpenAPI 3.1."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.params import Dependency, Parameter
from litestar.types import ControllerRouterHandler, Guard
from opentelemetry import trace

from contracts.errors import NOT_THERE, NotFound, NotPermitted, Problem, Refusal
from contracts.identity import Principal
from contracts.permissions import Permission, may
from services.runtime.documents import InvalidCursor
from services.runtime.identity import NotAuthenticated, Verifier
from services.runtime.telemetry import current_trace_id
from services.runtime.tracing import TracedApp
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")
Injected = Annotated[T, Dependency(skip_validation=True)]
"""A dependency passed as it is: Litestar would copy lists and cannot validate protocols."""

PageSize = Annotated[int, Parameter(ge=1, le=200, description="How many items a page holds at most")]
"""The query parameter ``limit`` of every list."""

Check = Callable[[], Awaitable[None]]
"""A readiness check: returns when the part can serve, raises when it cannot."""

CHECK_TIMEOUT_S = 3.0
MAX_BODY_BYTES = 2 * 1024 * 1024
RETRY_AFTER_S = 2
PROBLEM = "application/problem+json"
TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not permitted",
    404: "Not found",
    405: "Method not allowed",
    409: "Refused",
    413: "Too large",
    415: "Unsupported media type",
    429: "Too many requests",
    503: "Not available",
}


def problem_of(status: int, code: str, detail: str) -> Problem:
    """The one shape in which STAR says no."""
    title = TITLES.get(status, "Unexpected error" if status >= 500 else "Refused")
    return Problem(title=title, status=status, detail=detail, code=code, trace_id=current_trace_id())


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    """The answer that says no."""
    content = problem_of(status, code, detail)
    return Response(content, status_code=status, media_type=PROBLEM, headers=dict(headers or {}))


def _on_refusal(request: Request[Any, Any, State], refusal: Refusal) -> Response[Problem]:
    # What is absent and what is out of scope are refused in different places, whose words must not tell them apart.
    is_single = isinstance(refusal, NotFound) and bool(request.path_params)
    return problem(refusal.status, refusal.code, NOT_THERE if is_single else str(refusal))


def _on_no_identity(_: Request[Any, Any, State], error: NotAuthenticated) -> Response[Problem]:
    return problem(401, "not_authenticated", str(error), {"WWW-Authenticate": 'Bearer realm="star"'})


def _on_no_store(_: Request[Any, Any, State], error: StoreUnavailable) -> Response[Problem]:
    # Its type alone: a driver's message may quote a key, and with it an id.
    logger.warning("store not available", extra={"reason": type(error.__cause__).__name__})
    return problem(503, "store_not_available", str(error), {"Retry-After": str(RETRY_AFTER_S)})


def _on_invalid_cursor(_: Request[Any, Any, State], error: InvalidCursor) -> Response[Problem]:
    return problem(400, "invalid_cursor", str(error))


def _on_http_error(_: Request[Any, Any, State], error: HTTPException) -> Response[Problem]:
    status = error.status_code
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(status, "malformed")
    detail = error.detail if status < 500 else "Something went wrong on our side."
    for reason in error.extra if isinstance(error.extra, list) else ():
        if isinstance(reason, dict):
            detail += f" {reason.get('key', 'body')}: {reason.get('message', '')}."
    return problem(status, code if status < 500 else "unexpected", detail, error.headers)


def _on_bad_text(_: Request[Any, Any, State], error: UnicodeDecodeError) -> Response[Problem]:
    return problem(400, "malformed", f"The body is not UTF-8: {error.reason} at byte {error.start}.")


def _on_too_deep(_: Request[Any, Any, State], __: RecursionError) -> Response[Problem]:
    logger.warning("nested too deeply")
    return problem(400, "malformed", "The body is nested too deeply.")


def _on_bug(_: Request[Any, Any, State], error: Exception) -> Response[Problem]:
    logger.error("unhandled", exc_info=error)
    trace.get_current_span().record_exception(error)
    return problem(500, "unexpected", "Something went wrong on our side; the trace id finds it.")


def requires(permission: Permission) -> Guard:
    """A guard: 403 on a collection, 404 on a single thing, when no role of the caller allows the act."""

    # Guards and hooks are async though they await nothing: Litestar runs plain functions in a thread.
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if may(connection.scope["state"]["principal"], permission):
            return
        if connection.path_params:
            raise NotFound(NOT_THERE)
        raise NotPermitted("Your role does not allow this.")

    return guard


async def _authenticated(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route that does not say ``opt={"public": True}``."""
    if not handler.opt.get("public"):
        verifier: Verifier = connection.app.state.verifier
        connection.scope["state"]["principal"] = verifier.principal(connection.headers.get("authorization"))


def _principal(request: Request[Any, Any, State]) -> Principal:
    found: Principal = request.scope["state"]["principal"]
    return found


async def _name_span(request: Request[Any, Any, State]) -> None:
    """Name the server span after the route, never after the path: ids do not belong into span names."""
    template = request.scope["path_template"]
    span = trace.get_current_span()
    span.update_name(f"{request.method} {template}")
    span.set_attribute("http.route", template)


class Health(msgspec.Struct, frozen=True):
    """The answer of a health route; ``failing`` names what cannot serve, with its reason."""

    status: str
    failing: dict[str, str] = {}


def health_routes(checks: Mapping[str, Check]) -> list[ControllerRouterHandler]:
    """``/health/live`` (the process answers) and ``/health/ready`` (every part it needs answers too)."""

    @get("/health/live", opt={"public": True}, include_in_schema=False, sync_to_thread=False)
    def live() -> Health:
        return Health("live")

    @get("/health/ready", opt={"public": True}, include_in_schema=False)
    async def ready() -> Response[Health]:
        results = await asyncio.gather(*(failure_of(check) for check in checks.values()))
        failing = {name: reason for name, reason in zip(checks, results, strict=True) if reason}
        status = Health("not_ready" if failing else "ready", failing)
        return Response(status, status_code=503 if failing else 200, media_type=MediaType.JSON)

    return [live, ready]


async def failure_of(check: Check) -> str:
    """Why a part cannot serve; empty when it can."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever the part raises is the answer
        return type(error).__name__
    return ""


def make_app(
    title: str,
    routes: Sequence[ControllerRouterHandler],
    *,
    verifier: Verifier,
    dependencies: Mapping[str, object],
    checks: Mapping[str, Check],
) -> TracedApp:
    """Build a service's HTTP application; ``dependencies`` are handed to routes by name as they are."""

    def constant(value: object) -> Provide:
        return Provide(lambda: value, sync_to_thread=False, use_cache=True)

    app = Litestar(
        [*routes, *health_routes(checks)],
        guards=[_authenticated],
        dependencies={
            "principal": Provide(_principal, sync_to_thread=False),
            **{name: constant(value) for name, value in dependencies.items()},
        },
        exception_handlers={
            Refusal: _on_refusal,
            NotAuthenticated: _on_no_identity,
            InvalidCursor: _on_invalid_cursor,
            StoreUnavailable: _on_no_store,
            HTTPException: _on_http_error,
            UnicodeDecodeError: _on_bad_text,
            RecursionError: _on_too_deep,
            Exception: _on_bug,
        },
        before_request=_name_span,
        openapi_config=OpenAPIConfig(title=title, version="1", use_handler_docstrings=True),
        request_max_body_size=MAX_BODY_BYTES,
        state=State({"verifier": verifier}),
        logging_config=None,
    )
    return TracedApp(app)

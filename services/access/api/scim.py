"""SCIM 2.0 (RFC 7644) for a buyer's directory: its staff, and no groups."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    InvalidFilterException,
    InvalidSyntaxException,
    ListResponse,
    NotFoundException,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    Schema,
    SCIMException,
    SearchRequest,
)
from uuid_utils.compat import uuid7

from contracts.errors import Conflict, Malformed, NotFound, Refusal
from contracts.identity import Principal
from contracts.permissions import Permission
from services.access.api import scim_resources as resources
from services.access.api.scim_resources import CONFIG, MOST_RESULTS, PROVIDER, TOLERANT, User
from services.access.domain.member import MemberView
from services.access.store.members import UserNameTaken
from services.access.usecases.members import Staff, VersionDiffers
from services.runtime.http import NOT_THERE, Injected, requires
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/scim+json"
BASE: Final = "/scim/v2"
_PATCH_ATTEMPTS: Final = 5
_GUARDS: Final = [requires(Permission.MEMBER_PROVISION)]
_Asked = Request[Any, Any, State]
_Told = Response[bytes]


@get("/ServiceProviderConfig", guards=_GUARDS)
async def read_config() -> _Told:
    """Read what this SCIM service can do."""
    return _answer(CONFIG.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


@get("/ResourceTypes", guards=_GUARDS)
async def list_resource_types() -> _Told:
    """List the types of resource: users, no groups."""
    return _list(PROVIDER.resource_types)


@get("/ResourceTypes/{name:str}", guards=_GUARDS)
async def read_resource_type(name: str) -> _Told:
    """Read one type of resource."""
    return _one(PROVIDER.resource_types, name)


@get("/Schemas", guards=_GUARDS)
async def list_schemas() -> _Told:
    """List the schemas: of a user, as much as is kept."""
    return _list(PROVIDER.schemas)


@get("/Schemas/{name:str}", guards=_GUARDS)
async def read_schema(name: str) -> _Told:
    """Read one schema."""
    return _one(PROVIDER.schemas, name)


@post("/Users", guards=_GUARDS)
async def create_user(
    request: _Asked, principal: Injected[Principal], staff: Injected[Staff], scim_base: Injected[str]
) -> _Told:
    """Take a new member into the caller's staff; in force at every gateway when this is answered."""
    with TOLERANT:
        told = User.model_validate(resources.payload(await request.body()), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        view = await staff.admit(
            principal,
            str(uuid7()),
            resources.profile_of(told),
            is_active=told.active is not False,
            now=_now(),
        )
    return _user(request, view, scim_base, status=201)


@get("/Users", guards=_GUARDS)
async def list_users(
    request: _Asked, principal: Injected[Principal], staff: Injected[Staff], scim_base: Injected[str]
) -> _Told:
    """List the caller's own staff; ``filter``, ``sortBy``, ``startIndex`` and ``count`` as in RFC 7644."""
    return await _found(principal, staff, scim_base, dict(request.query_params))


@post(["/.search", "/Users/.search"], guards=_GUARDS, status_code=200)
async def search_users(
    request: _Asked, principal: Injected[Principal], staff: Injected[Staff], scim_base: Injected[str]
) -> _Told:
    """List the caller's own staff as ``GET /Users`` does, with the names out of the address."""
    return await _found(principal, staff, scim_base, resources.payload(await request.body()))


@get("/Users/{user_id:str}", guards=_GUARDS)
async def read_user(
    request: _Asked, principal: Injected[Principal], staff: Injected[Staff], scim_base: Injected[str], user_id: str
) -> _Told:
    """Read one member of the caller's own staff."""
    view = await staff.read(principal, user_id)
    return _user(request, view, scim_base)


@put("/Users/{user_id:str}", guards=_GUARDS)
async def replace_user(
    request: _Asked, principal: Injected[Principal], staff: Injected[Staff], scim_base: Injected[str], user_id: str
) -> _Told:
    """Describe a member anew; in force at every gateway when this is answered."""
    with TOLERANT:
        told = User.model_validate(
            resources.payload(await request.body()), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST
        )
        view = await staff.describe(
            principal,
            user_id,
            resources.profile_of(told),
            is_active=told.active,
            now=_now(),
            version=_version(request),
        )
    return _user(request, view, scim_base)


@patch("/Users/{user_id:str}", guards=_GUARDS)
async def patch_user(
    request: _Asked, principal: Injected[Principal], staff: Injected[Staff], scim_base: Injected[str], user_id: str
) -> _Told:
    """Change parts of a member; in force at every gateway when this is answered."""
    with TOLERANT:
        operations = PatchOp[User].model_validate(
            resources.payload(await request.body()), scim_ctx=Context.RESOURCE_PATCH_REQUEST
        )
        for _ in range(_PATCH_ATTEMPTS):
            view = await staff.read(principal, user_id)
            told = resources.patched(resources.user_of(view, scim_base), operations)
            is_active = told.active is True  # taken away is not active
            try:
                version = _version(request) or view.version
                view = await staff.describe(
                    principal, user_id, resources.profile_of(told), is_active=is_active, now=_now(), version=version
                )
            except VersionDiffers:
                if _version(request) is not None:
                    raise
            else:
                return _user(request, view, scim_base)
        raise Conflict("Too many others are changing this member; try again.")


@delete("/Users/{user_id:str}", guards=_GUARDS)
async def delete_user(request: _Asked, principal: Injected[Principal], staff: Injected[Staff], user_id: str) -> None:
    """Forget a member, who may not act for the buyer at any gateway when this is answered."""
    await staff.dismiss(principal, user_id, now=_now(), version=_version(request))


async def _found(principal: Principal, staff: Staff, scim_base: str, asked: dict[str, Any]) -> _Told:
    if len(str(asked.get("filter", ""))) > resources.MOST_FILTER_CHARACTERS:
        raise InvalidFilterException(detail="The filter is too long.")
    with TOLERANT:
        search = SearchRequest[User].model_validate(asked)
        views = await staff.find(principal, **resources.looked_for(search))
        users = resources.found((resources.user_of(view, scim_base) for view in views), search)
        start, count = search.start_index_0 or 0, MOST_RESULTS if search.count is None else search.count
        page = users[start : start + min(count, MOST_RESULTS)]
        answer = ListResponse[User](
            total_results=len(users), start_index=start + 1, items_per_page=len(page), resources=page or None
        )
        return _answer(answer.model_dump(scim_ctx=Context.SEARCH_RESPONSE, response_parameters=search))


def _user(request: _Asked, view: MemberView, scim_base: str, *, status: int = 200) -> _Told:
    """A member as the answer, with what of it was asked for."""
    user = resources.user_of(view, scim_base)
    with TOLERANT:
        selected = ResponseParameters[User].model_validate(
            {
                name: value
                for name, value in request.query_params.items()
                if name in {"attributes", "excludedAttributes"}
            }
        )
        content = user.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=selected)
    location = f"{scim_base}/Users/{view.member.id}"
    return _answer(content, status=status, headers={"etag": f'W/"{view.version}"', "location": location})


def _answer(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> _Told:
    body = msgspec.json.encode(content)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def _list(found: tuple[Resource[Any], ...]) -> _Told:
    answer = ListResponse[ResourceType | Schema](
        total_results=len(found), start_index=1, items_per_page=len(found), resources=list(found)
    )
    return _answer(answer.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


def _one(found: tuple[Resource[Any], ...], name: str) -> _Told:
    for each in found:
        if each.id == name:
            return _answer(each.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))
    raise NotFoundException(detail="There is no such description.")


def _now() -> datetime:
    return datetime.now(UTC)


def _version(request: _Asked) -> str | None:
    """The version that the caller has read, if it says so."""
    told = request.headers.get("if-match", "*")
    return None if told == "*" else told.removeprefix("W/").strip('"')


def _refused(status: int, detail: str, kind: str | None = None) -> _Told:
    """The one shape in which SCIM says no."""
    return _answer(Error(status=status, scim_type=kind, detail=detail).model_dump(), status=status)


def _on_refusal(_: _Asked, refusal: Refusal) -> _Told:
    kind = {UserNameTaken: "uniqueness", Malformed: "invalidValue"}.get(type(refusal))
    return _refused(refusal.status, NOT_THERE if isinstance(refusal, NotFound) else str(refusal), kind)


def _on_scim(_: _Asked, refusal: SCIMException) -> _Told:
    error = refusal.to_error()
    return _answer(error.model_dump(), status=error.status or 400)


def _on_invalid(_: _Asked, invalid: ValidationError) -> _Told:
    error = Error.from_validation_errors(invalid)[0]
    return _answer(error.model_dump(), status=error.status or 400)


def _on_http(_: _Asked, error: HTTPException) -> _Told:
    return _refused(error.status_code, error.detail if error.status_code < 500 else "Something went wrong here.")


def _on_no_store(_: _Asked, error: StoreUnavailable) -> _Told:
    logger.warning("store not available", extra={"reason": type(error.__cause__).__name__})
    return _refused(503, str(error))


def _on_depth(_: _Asked, error: RecursionError) -> _Told:
    return _on_scim(_, InvalidSyntaxException(detail=f"Too deep: {type(error).__name__}."))


def router() -> Router:
    """The routes under ``/scim/v2``, which answer every refusal as SCIM does."""
    handlers = [
        read_config,
        list_resource_types,
        read_resource_type,
        list_schemas,
        read_schema,
        create_user,
        list_users,
        search_users,
        read_user,
        replace_user,
        patch_user,
        delete_user,
    ]
    return Router(
        BASE,
        route_handlers=handlers,
        include_in_schema=False,
        exception_handlers={
            Refusal: _on_refusal,
            SCIMException: _on_scim,
            ValidationError: _on_invalid,
            HTTPException: _on_http,
            StoreUnavailable: _on_no_store,
            RecursionError: _on_depth,
        },
    )

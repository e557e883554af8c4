"""Members as SCIM 2.0 resources (RFC 7643): the part of a user that STAR keeps, and what it says of itself."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    InvalidSyntaxException,
    Meta,
    Patch,
    PatchOp,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models import Email as ScimEmail
from scim2_models.path import Comparison

from services.access.domain.member import Email, MemberView, Profile

MOST_BYTES: Final = 256 * 1024
MOST_OPERATIONS: Final = 100
MOST_RESULTS: Final = 200
MOST_FILTER_CHARACTERS: Final = 1_000


class PersonName(ComplexAttribute):
    """The parts of a person's name."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class User(Resource[Any]):
    """A member of a buyer's staff; attributes that are not here are not kept."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: PersonName | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[ScimEmail] | None = None


# What directories are known to send: attributes nobody asked for, and Entra's own reading of PATCH.
TOLERANT: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
CONFIG: Final = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=True),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="OAuth 2.0 access token",
            description="A token of the country's issuer with the role buyer_provisioner; bound by DPoP or mTLS.",
            primary=True,
        )
    ],
)
PROVIDER: Final = ScimProvider(models=[User], config=CONFIG, policy=TOLERANT)


def user_of(view: MemberView, base: str) -> User:
    """A member as a resource; ``base`` is the address of ``/scim/v2``."""
    profile, member = view.member.profile, view.member
    names = (profile.formatted_name, profile.family_name, profile.given_name)
    return User(
        id=member.id,
        external_id=profile.external_id or None,
        user_name=profile.user_name,
        display_name=profile.display_name or None,
        name=_name(*names) if any(names) else None,
        emails=[_scim_email(email) for email in profile.emails] or None,
        active=view.is_active,
        meta=Meta(
            resource_type="User",
            created=member.created_at,
            last_modified=member.changed_at,
            location=f"{base}/Users/{member.id}",
            version=f'W/"{view.version}"',
        ),
    )


def profile_of(user: User) -> Profile:
    """What a resource says of the person."""
    name = user.name or PersonName()
    return Profile(
        user_name=user.user_name or "",
        external_id=user.external_id or "",
        display_name=user.display_name or "",
        formatted_name=name.formatted or "",
        given_name=name.given_name or "",
        family_name=name.family_name or "",
        emails=tuple(
            Email(
                value=str(email.value),
                type=str(email.type or ""),
                display=email.display or "",
                is_primary=email.primary,
            )
            for email in user.emails or ()
            if email.value
        ),
    )


def payload(body: bytes) -> dict[str, Any]:
    """A body as an object; raises ``InvalidSyntaxException``."""
    try:
        return msgspec.json.decode(body[: MOST_BYTES + 1], type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise InvalidSyntaxException(detail="The body must be one JSON object of moderate size.") from None


def patched(user: User, operations: PatchOp[User]) -> User:
    """The resource after the operations; raises ``SCIMException``."""
    if len(operations.operations or ()) > MOST_OPERATIONS:
        raise InvalidSyntaxException(detail=f"A request holds at most {MOST_OPERATIONS} operations.")
    changed = user.model_copy(deep=True)
    operations.patch(changed)
    return changed


def looked_for(search: SearchRequest[User]) -> dict[str, str]:
    """The name, or the directory's id, if that is all that the filter asks for."""
    ast = search.filter.ast if search.filter is not None else None
    if not isinstance(ast, Comparison) or ast.op != "eq" or not isinstance(ast.value, str):
        return {}
    told = {"username": "user_name", "externalid": "external_id"}.get(str(ast.attr_path).lower())
    return {told: ast.value} if told is not None else {}


def found(users: Iterable[User], search: SearchRequest[User]) -> list[User]:
    """Those that the filter matches, in the order that is asked for."""
    matching = [user for user in users if search.filter is None or search.filter.match(user)]
    return search.sort(matching) if search.sort_by else matching


def _name(formatted: str, family_name: str, given_name: str) -> PersonName:
    return PersonName(formatted=formatted or None, family_name=family_name or None, given_name=given_name or None)


def _scim_email(email: Email) -> ScimEmail:
    kind = ScimEmail.Type(email.type) if email.type else None
    return ScimEmail(value=email.value, type=kind, display=email.display or None, primary=email.is_primary)

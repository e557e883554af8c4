"""The gateway's own addresses: the page, the API document, health, and in an embedded run the development issuer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from contracts.errors import Malformed
from gateway.answers import Answer, guarded, json_answer, problem
from gateway.body import Body
from gateway.consent import Follower
from gateway.dev_issuer import DevIssuer
from gateway.oidc import Oidc
from gateway.pages import door as page
from gateway.upstream import Upstream, check
from services.runtime.http import Check, Health, failure_of

Door = Callable[[str, Body], Awaitable[Answer]]
"""Answers a method at one address."""

KNOWN_FOR_S: Final = 1.0
"""For so long it stays known whether the gateway is ready: anybody may ask, and each check asks every service."""

_MOST_TOKEN_REQUEST_BYTES = 4096


class _TokenRequest(msgspec.Struct):
    user: str


class Doors:
    """The gateway's own addresses by path."""

    def __init__(
        self,
        country: str,
        document: Mapping[str, Any],
        upstreams: Mapping[str, Upstream],
        follower: Follower,
        identity: Oidc,
        issuer: DevIssuer | None,
    ) -> None:
        self._checks: dict[str, Check] = {name: partial(check, upstream) for name, upstream in upstreams.items()}
        self._checks |= {"consent": follower.check, "issuer": identity.keys.check}
        self._checking: asyncio.Task[Answer] | None = None
        self._checked_at = float("-inf")
        self._issuer = issuer
        public = Answer(200, msgspec.json.encode(document), headers=guarded(caching=b"public, max-age=300"))
        self._doors: dict[str, Door] = {
            "/": _fixed(page(country, issuer.names if issuer else ())),
            "/api/v1/openapi.json": _fixed(public),
            "/health/live": _fixed(json_answer(Health("live"))),
            "/health/ready": self._ready,
        }
        if issuer is not None:
            self._doors |= {
                "/dev/.well-known/openid-configuration": _fixed(json_answer(issuer.discovery())),
                "/dev/jwks": _fixed(json_answer(issuer.jwks())),
                "/dev/token": self._token,
            }

    def find(self, path: str) -> Door | None:
        """The door at a path, if it is the gateway's own."""
        return self._doors.get(path)

    async def _ready(self, method: str, _: Body) -> Answer:
        if method not in {"GET", "HEAD"}:
            return _not_allowed(b"GET, HEAD")
        is_known = time.monotonic() - self._checked_at <= KNOWN_FOR_S
        if self._checking is None or (self._checking.done() and not is_known):
            self._checking = asyncio.create_task(self._checked(), name="readiness")
        return await asyncio.shield(self._checking)

    async def _checked(self) -> Answer:
        """Ask every part; whoever asks meanwhile, or just after, gets this answer as well."""
        reasons = await asyncio.gather(*(failure_of(check) for check in self._checks.values()))
        failing = {name: reason for name, reason in zip(self._checks, reasons, strict=True) if reason}
        self._checked_at = time.monotonic()
        return json_answer(Health("not_ready" if failing else "ready", failing), status=503 if failing else 200)

    async def _token(self, method: str, body: Body) -> Answer:
        if method != "POST" or self._issuer is None:
            return _not_allowed(b"POST")
        content = bytearray()
        async for chunk in body.chunks():
            content += chunk
            if len(content) > _MOST_TOKEN_REQUEST_BYTES:
                raise Malformed("A request for a token is short.")
        try:
            asked = msgspec.json.decode(content, type=_TokenRequest)
        except msgspec.DecodeError as error:
            raise Malformed('The body is {"user": "…"}.') from error
        return json_answer(self._issuer.token(asked.user))


def _fixed(answer: Answer) -> Door:
    async def door(method: str, _: Body) -> Answer:
        return answer if method in {"GET", "HEAD"} else _not_allowed(b"GET, HEAD")

    return door


def _not_allowed(methods: bytes) -> Answer:
    answer = problem(405, "method_not_allowed", "This address does not know the method.")
    return msgspec.structs.replace(answer, headers=((b"allow", methods),))

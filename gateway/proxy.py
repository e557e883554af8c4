"""Passing a request on: identity in, the visibility decision, a stream in both directions, and the last check."""

import re
from collections.abc import Mapping
from typing import Final

from litestar.types import HTTPScope, Send
from opentelemetry import trace

from contracts.errors import Malformed, NotFound, NotPermitted
from contracts.vocabulary import ReportKind
from gateway.answers import ANSWERED, ASKED, guarded, kept
from gateway.body import MOST_BYTES, Body, BodyTooLarge
from gateway.oidc import Oidc
from gateway.replica import Decision, Guard, Replica, Subject
from gateway.routes import Route
from gateway.signing import Signatures
from gateway.upstream import Headers, Incoming, Outgoing, Upstream, UpstreamDown
from services.runtime.identity import Signer

_QUERY: Final = re.compile(r"[!-~]{0,8000}", re.ASCII)
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})


class Proxy:
    """Passes requests on to the services."""

    def __init__(self, upstreams: Mapping[str, Upstream], *, identity: Oidc, signer: Signer, replica: Replica) -> None:
        self._upstreams = upstreams
        self._identity = identity
        self._signatures = Signatures(signer)
        self._replica = replica

    async def serve(self, scope: HTTPScope, route: Route, path: str, body: Body, send: Send) -> None:
        """Pass one request on and its answer back; raises refusals before anything was sent, and ``Withdrawn``."""
        asked = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        principal = await self._identity.principal(asked.get(b"authorization"))
        if not principal.roles:
            raise NotPermitted("Your account has no role in the programme.")
        query = scope["query_string"].decode("latin-1")
        if not _QUERY.fullmatch(query):
            raise Malformed("The query is too long, or holds characters that need a percent code.")
        if asked.get(b"content-length", "0").isdecimal() and int(asked.get(b"content-length", "0")) > MOST_BYTES:
            raise BodyTooLarge(f"A body holds at most {MOST_BYTES} bytes.")
        buyer_id = principal.scope().buyer_id
        decision = self._replica.decide(buyer_id) if buyer_id is not None else None
        signed = self._signatures.header(principal, decision)
        request = _outgoing(scope, route, path, query, signed, body)
        try:
            async with self._upstreams[route.service].exchange(request) as answer:
                await self._pass_back(answer, body, decision, send)
        except UpstreamDown:
            if body.failure is not None:  # the service only noticed that the body broke off
                raise body.failure from None
            raise

    async def _pass_back(self, answer: Incoming, body: Body, decision: Decision | None, send: Send) -> None:
        """Send a service's answer to the caller, to a buyer under guard."""
        if body.failure is not None:
            raise body.failure
        if answer.status == 401:
            raise UpstreamDown("A service does not believe the gateway; the operators are needed.")
        if decision is None:
            await _pass_back(answer, send)
        else:
            await self._pass_back_guarded(answer, decision, send)

    async def _pass_back_guarded(self, answer: Incoming, decision: Decision, send: Send) -> None:
        """Send an answer to a buyer, every message of it only while the decision still stands."""
        guard = self._replica.guard(decision)
        try:
            guard.subject = _subject(answer.headers)
            if guard.subject is not None and not guard.stands() and self._replica.lease_left_s() > 0:
                raise NotFound("There is no such document.")
            await _pass_back(answer, send, guard, ((b"star-epoch", str(decision.epoch).encode()),))
        finally:
            guard.release()


def _outgoing(scope: HTTPScope, route: Route, path: str, query: str, signed: bytes, body: Body) -> Outgoing:
    """The request as the service gets it: the caller's token stays here, the signed principal goes on."""
    names = ASKED
    if scope["method"] in _BODILESS:
        body.skip()
        names = ASKED - {b"content-length", b"content-type"}
    trace.get_current_span().set_attribute("star.service", route.service)
    return Outgoing(
        method=scope["method"],
        target=path,
        query=query,
        headers=(*kept(scope["headers"], names), (b"authorization", signed)),
        body=None if scope["method"] in _BODILESS else body.chunks(),
        route=route.template,
    )


async def _pass_back(answer: Incoming, send: Send, guard: Guard | None = None, extra: Headers = ()) -> None:
    """Send a service's answer as it arrives."""
    headers = [*kept(answer.headers, ANSWERED), *guarded(), *extra]
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    chunks = aiter(answer.chunks)
    first = await anext(chunks, b"")
    # The guard looks again between the service's answer and each piece of it.
    await _send(send, guard, start)
    is_whole = (b"content-length", str(len(first)).encode()) in answer.headers and first != b""
    await _send(send, guard, {"type": "http.response.body", "body": first, "more_body": not is_whole})
    async for chunk in chunks:  # also when nothing more comes: a service is not cut off before it has finished
        await _send(send, guard, {"type": "http.response.body", "body": chunk, "more_body": True})
    if not is_whole:
        await _send(send, guard, {"type": "http.response.body", "body": b"", "more_body": False})


async def _send(send: Send, guard: Guard | None, message: dict[str, object]) -> None:
    if guard is None:
        await send(message)  # type: ignore[arg-type]
    else:
        await guard.send(send, message)  # type: ignore[arg-type]


def _subject(headers: Headers) -> Subject | None:
    """The one document an answer is about, if the service named it."""
    found = {name: value.decode("latin-1") for name, value in headers if name in {b"star-factory", b"star-kind"}}
    if len(found) < 2:
        return None
    return Subject(found[b"star-factory"], ReportKind(found[b"star-kind"]))

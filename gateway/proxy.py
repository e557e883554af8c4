"""Passing a request on: identity in, the visibility decision, a stream in both directions, and the last check."""

import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import msgspec
from litestar.types import Send
from opentelemetry import trace

from contracts.answers import CYCLE, FACTORY, KIND
from contracts.errors import Malformed, NotFound, NotPermitted
from contracts.identity import NOTHING_SHARED, Principal, Role
from contracts.repetitions import KeptAnswer
from contracts.vocabulary import ReportKind
from gateway.answers import ASKED, kept
from gateway.body import MOST_BYTES, BodyTooLarge
from gateway.call import Call
from gateway.epochs import AT_LEAST, Epochs
from gateway.limits import Limits
from gateway.oidc import OF_PARTIES, Oidc
from gateway.reading import Reading
from gateway.replica import Decision, Guard, Replica, Subject
from gateway.routes import SCIM, Route
from gateway.shaping import FORMAT, Opened, PageTooLarge, Shaped, is_csv, shaped
from gateway.signing import Signatures
from gateway.upstream import Headers, Incoming, Outgoing, Upstream, UpstreamDown, UpstreamNotReached
from services.runtime.identity import NotAuthenticated, Signer

WHOLE_BYTES: Final = 4 * 1024 * 1024
"""JSON that is read is taken whole up to here, so that it can be checked, told apart and put into another form."""

_QUERY: Final = re.compile(r"[!-~]{0,8000}", re.ASCII)
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})
_JSON: Final = b"application/json"
_NO_CHUNKS: Final[tuple[bytes, ...]] = ()


class NoParty(NotPermitted):
    """The account has a role of a party, and the token names no party."""

    code = "no_party"


class Proxy:
    """Passes requests on to the services."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        *,
        identity: Oidc,
        signer: Signer,
        replica: Replica,
        epochs: Epochs,
        limits: Limits,
        reading: Reading,
    ) -> None:
        self._upstreams = upstreams
        self._identity = identity
        self._signatures = Signatures(signer)
        self._replica = replica
        self._epochs = epochs
        self._limits = limits
        self.reading = reading

    async def serve(self, call: Call, route: Route, send: Send) -> None:
        """Pass one request on and its answer back; raises refusals before anything was sent, and ``Withdrawn``."""
        principal = await self.admitted(call)
        as_csv = is_csv(call, route)
        try:
            async with self.opened(principal, route.service, outgoing(call, route, as_csv=as_csv)) as (answer, guard):
                if call.body.failure is not None:
                    raise call.body.failure
                await self._show(principal, call, route, answer, guard, send, as_csv=as_csv)
                if call.method != "HEAD":
                    async for _ in answer.rest:  # a service is not cut off before it has finished
                        pass
        except UpstreamDown:
            if call.body.failure is not None:  # the service only noticed that the body broke off
                raise call.body.failure from None
            raise

    async def show(self, principal: Principal, call: Call, route: Route, kept: KeptAnswer, send: Send) -> None:
        """Send an answer that was kept as if the service had given it now: what may be seen is decided anew."""
        decision = self._decision(principal)
        shares = decision.shares if decision is not None else {}
        if not all(shares.get(each.kind, NOTHING_SHARED).covers(each.factory_id) for each in kept.named):
            raise NotFound("There is no such document.")
        with self._guarded(kept.headers, decision) as guard:
            answer = Opened(kept.status, kept.headers, kept.body, is_whole=True, rest=_nothing())
            await self._show(principal, call, route, answer, guard, send)

    async def _show(
        self,
        principal: Principal,
        call: Call,
        route: Route,
        answer: Opened,
        guard: Guard | None,
        send: Send,
        *,
        as_csv: bool = False,
    ) -> None:
        """Give an answer its form, put on record what it shows, and send it."""
        form = await shaped(call, route, answer, as_csv=as_csv)
        is_confirmed = form.status == 304 or call.method == "HEAD"
        await self.reading.record(principal, guard, route.template, answer, is_confirmed=is_confirmed)
        await _send_all(send, guard, form, call)

    async def admitted(self, call: Call) -> Principal:
        """Who asks, when it is somebody with a role and what is asked is well-formed; waits for a demanded epoch."""
        try:
            principal = await self._identity.principal(call.asked.get(b"authorization"), call)
        except NotAuthenticated as error:
            self._limits.failed(error, call)
            raise
        self._limits.asked(principal, call)
        if call.path.startswith(SCIM):  # a directory keeps staff, and is none
            principal = msgspec.structs.replace(principal, roles=principal.roles & {Role.BUYER_PROVISIONER})
        if not principal.roles:
            raise NotPermitted("Your account has no role in the programme.")
        if principal.party_id is None and principal.roles & OF_PARTIES:
            raise NoParty("Your account does not say for which party it has its role.")
        if not _QUERY.fullmatch(call.query):
            raise Malformed("The query is too long, or holds characters that need a percent code.")
        length = call.asked.get(b"content-length", "0")
        if length.isdecimal() and int(length) > MOST_BYTES:
            raise BodyTooLarge(f"A body holds at most {MOST_BYTES} bytes.")
        try:
            await self._epochs.wait(call.asked.get(AT_LEAST))
        finally:
            if principal.buyer_id is not None:
                call.added.append(self._epochs.header())
        return principal

    @contextlib.asynccontextmanager
    async def opened(
        self, principal: Principal, service: str, request: Outgoing
    ) -> AsyncIterator[tuple[Opened, Guard | None]]:
        """Ask a service for somebody; yields the answer, and for a buyer the guard under which it may be sent.

        Whatever a caller gets to see of the services comes through here, or through ``show``. Raises ``NotFound`` for
        a document that a buyer may not see (any more), ``NoLease``, ``PageTooLarge`` and ``UpstreamDown``.
        """
        async with self.asked(principal, service, request) as (incoming, decision):
            with self._guarded(incoming.headers, decision) as guard:
                answer = await _begun(request, incoming)
                if guard is not None and guard.subject is None and not answer.is_whole and _is_json(answer.headers):
                    raise PageTooLarge("The page is too large to be checked; ask for fewer items with limit.")
                yield answer, guard

    @contextlib.asynccontextmanager
    async def asked(
        self, principal: Principal, service: str, request: Outgoing
    ) -> AsyncIterator[tuple[Incoming, Decision | None]]:
        """Ask a service for somebody; yields what it answers, not to be shown, and for a buyer the decision."""
        decision = self._decision(principal)
        signed = (b"authorization", self._signatures.header(principal, decision))
        request = msgspec.structs.replace(request, headers=(*request.headers, signed))
        async with self._upstreams[service].exchange(request) as incoming:
            if incoming.status == 401:
                raise UpstreamNotReached("A service does not believe the gateway; the operators are needed.")
            yield incoming, decision

    def _decision(self, principal: Principal) -> Decision | None:
        """What a buyer or group may see now, ``None`` for everybody else; raises ``NoLease`` and ``NotAMember``."""
        if principal.buyer_id:
            return self._replica.decide(principal.buyer_id, principal.user_name)
        return self._replica.decide_group(principal.group_id) if principal.group_id else None

    @contextlib.contextmanager
    def _guarded(self, headers: Headers, decision: Decision | None) -> Iterator[Guard | None]:
        """The guard over an answer to a buyer or group; raises ``NotFound`` when it is about what they may not see."""
        if decision is None:
            yield None
            return
        guard = self._replica.guard(decision)
        try:
            guard.subject = _subject(headers)
            if guard.subject is not None and not guard.stands() and self._replica.lease_left_s() > 0:
                raise NotFound("There is no such document.")
            yield guard
        finally:
            guard.release()


def outgoing(call: Call, route: Route, *, as_csv: bool = False) -> Outgoing:
    """The request as the service gets it, without who asks: the caller's token stays here."""
    names = ASKED
    if call.method in _BODILESS:
        call.body.skip()
        names = ASKED - {b"content-length", b"content-type"}
    if as_csv:  # the validator is that of the table, of which the service knows nothing
        names = names - {b"accept", b"if-none-match"}
    trace.get_current_span().set_attribute("star.service", route.service)
    return Outgoing(
        method="GET" if call.method == "HEAD" else call.method,
        target=call.path,
        query=call.query if route.columns is None else "&".join(call.parameters(FORMAT)),
        headers=kept(call.headers, names),
        body=None if call.method in _BODILESS else call.body.chunks(),
        route=route.template,
    )


async def _begun(request: Outgoing, incoming: Incoming) -> Opened:
    """The answer with its first piece, or all of it when it is JSON that is read and not too long."""
    chunks = aiter(incoming.chunks)
    head = await anext(chunks, b"")
    length = next((value for name, value in incoming.headers if name == b"content-length"), None)
    is_whole = head != b"" and length == str(len(head)).encode()
    if not is_whole and request.method == "GET" and _is_json(incoming.headers):
        pieces, size = [head], len(head)
        async for chunk in chunks:
            pieces.append(chunk)
            size += len(chunk)
            if size > WHOLE_BYTES:
                break
        else:
            is_whole = True
        head = b"".join(pieces)
    return Opened(incoming.status, incoming.headers, head, is_whole, chunks)


async def _send_all(send: Send, guard: Guard | None, answer: Shaped, call: Call) -> None:
    """Send an answer, to a buyer every message of it only while the decision still stands."""
    start = {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
    # The guard looks again between the service's answer and each piece of it.
    await _send(send, guard, start)
    if call.method != "HEAD" and answer.chunks is not None:
        async for chunk in answer.chunks:
            await _send(send, guard, {"type": "http.response.body", "body": chunk, "more_body": True})
    last = b"" if call.method == "HEAD" else answer.body
    await _send(send, guard, {"type": "http.response.body", "body": last, "more_body": False})


async def _send(send: Send, guard: Guard | None, message: dict[str, object]) -> None:
    if guard is None:
        await send(message)  # type: ignore[arg-type]
    else:
        await guard.send(send, message)  # type: ignore[arg-type]


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in _NO_CHUNKS:
        yield chunk


def _is_json(headers: Headers) -> bool:
    return any(name == b"content-type" and value.startswith(_JSON) for name, value in headers)


def _subject(headers: Headers) -> Subject | None:
    """The one document an answer is about, if the service named it."""
    found = {name.decode(): value.decode("latin-1") for name, value in headers if name.startswith(b"star-")}
    if FACTORY not in found or KIND not in found:
        return None
    cycle = found.get(CYCLE)
    return Subject(found[FACTORY], tuple(map(ReportKind, found[KIND].split(","))), int(cycle) if cycle else None)

"""``Idempotency-Key``: a POST that is sent again is answered again, and done once.

The request is claimed at access before it is done, and its answer is kept there before it is given: whichever gateway
a repetition reaches, and whatever died in between, it is not done twice. Where a service lets the caller name what it
makes (``id``), the gateway names it after the key: such a request may be done again when nobody knows whether it was
done, because it makes the same thing. Any other is refused then.

The work goes on when the caller leaves, so that the bad line of a caller does not leave anything half done.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
import uuid
from collections.abc import Coroutine
from typing import Any, Final

import msgspec
from litestar.types import Send

from contracts.errors import Malformed, Refusal
from contracts.identity import Principal, Shares
from contracts.repetitions import KEY_PATTERN, MOST_KEPT_BYTES, Claim, Ended, KeptAnswer, Named, Outcome
from gateway.answers import TO_DIRECTORIES, RefusedWith
from gateway.body import BodyTooLarge
from gateway.call import Call
from gateway.claims import Claims
from gateway.proxy import Proxy, outgoing
from gateway.replica import NoLease, NotAMember
from gateway.routes import Route
from gateway.upstream import Outgoing, UpstreamDown, UpstreamNotReached

logger = logging.getLogger(__name__)

KEY: Final = b"idempotency-key"
REPLAYED: Final = (b"idempotency-replayed", b"true")
MOST_BYTES: Final = 2 * 1024 * 1024
"""Of the body of a request with a key: it must be whole in memory before it is known whether it is the same."""

MOST_OF_ONE: Final = 32
"""So many requests of one caller are done at once: they go on when it leaves, and each is whole in memory."""

MOST_AT_ONCE: Final = 256
"""So many of all callers together."""

_Work = asyncio.Task[tuple[KeptAnswer, bool]]
_PATTERN: Final = re.compile(KEY_PATTERN, re.ASCII)
_MARKS: Final = b"star-"
_NAMES: Final = re.compile(rb'"([A-Za-z0-9_-]{1,64})"')
_LATER: Final = ((b"retry-after", b"2"),)


class KeyReused(Refusal):
    """The key belongs to another request of the same caller."""

    status = 422
    code = "idempotency_key_reused"


class RequestRunning(RefusedWith):
    """The first request with this key is being done just now."""

    code = "request_running"


class FateUnknown(Refusal):
    """The first request was begun and nobody knows whether it was done."""

    code = "fate_unknown"


class TooManyAtOnce(RefusedWith):
    """So many requests with a key are being done that no other is begun."""

    status = 429
    code = "too_many_at_once"


class _Request(msgspec.Struct, frozen=True):
    """A request that is whole in memory: as the service gets it, and the SHA-256 of what the caller asked for."""

    outgoing: Outgoing
    digest: str


class Repetitions:
    """Does requests with a key, once each."""

    def __init__(self, proxy: Proxy, claims: Claims) -> None:
        self._proxy = proxy
        self._claims = claims
        self._working: dict[_Work, str] = {}

    async def stop(self, *, within_s: float) -> None:
        """Let what is being done come to its end for a while, then give it up."""
        if self._working:
            await asyncio.wait(self._working, timeout=within_s)
        for work in self._working:
            work.cancel()

    async def serve(self, call: Call, route: Route, send: Send) -> None:
        """Do one request, or give its first answer again; raises refusals before anything was sent."""
        key = _key(call)
        principal = await self._proxy.admitted(call)
        digest = hashlib.sha256("\n".join((principal.subject, principal.party_id or "", key)).encode()).hexdigest()
        request = await _whole(call, route, digest)
        work = self._begun(principal, self._once(principal, route, request, digest))
        try:
            answer, is_repeated = await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_failed_for_nobody)
            raise
        if is_repeated:
            call.added.append(REPLAYED)
        await self._proxy.show(principal, call, route, answer, send)

    def _begun(self, principal: Principal, once: Coroutine[Any, Any, tuple[KeptAnswer, bool]]) -> _Work:
        """The work, which goes on without the caller; raises ``TooManyAtOnce``."""
        caller = principal.party_id or principal.subject
        own = sum(each == caller for each in self._working.values())
        if own >= MOST_OF_ONE or len(self._working) >= MOST_AT_ONCE:
            once.close()
            raise TooManyAtOnce("Too many requests with an Idempotency-Key are running; wait a little.", _LATER)
        work = asyncio.create_task(once, name="repetition")
        self._working[work] = caller
        work.add_done_callback(self._working.pop)
        return work

    async def _once(
        self, principal: Principal, route: Route, request: _Request, digest: str
    ) -> tuple[KeptAnswer, bool]:
        """The answer, and whether it is the first one again."""
        attempt = uuid.uuid4().hex
        claimed = await self._claims.claim(
            digest, Claim(attempt=attempt, request=request.digest, can_run_again=route.client_id != "")
        )
        if claimed.outcome is not Outcome.RUN:
            if claimed.answer is None:
                raise _refusal(claimed.outcome)
            return claimed.answer, True
        ended = Ended(attempt=attempt)
        try:
            answer, may_be_kept = await self._done(principal, route, request)
        except (NoLease, NotAMember, UpstreamNotReached):
            ended = Ended(attempt=attempt, was_begun=False)
            raise
        else:
            if may_be_kept and answer.status < 500 and len(answer.body) <= MOST_KEPT_BYTES:
                ended = Ended(attempt=attempt, answer=answer)
            return answer, False
        finally:
            # Also when this fails it is safe: the claim stays, and what is said of it is "running", then "unknown".
            with contextlib.suppress(UpstreamDown):
                await self._claims.end(digest, ended)

    async def _done(self, principal: Principal, route: Route, request: _Request) -> tuple[KeptAnswer, bool]:
        """Do the request. Whatever the service answers is taken: what the caller may see of it is decided later.

        Tells beside it whether it may be kept: a secret that is shown once is ``no-store``.
        """
        async with self._proxy.asked(principal, route.service, request.outgoing) as (incoming, decision):
            content = b"".join([chunk async for chunk in incoming.chunks])
        headers = tuple((n, v) for n, v in incoming.headers if n in TO_DIRECTORIES or n.startswith(_MARKS))
        may_be_kept = (b"cache-control", b"no-store") not in incoming.headers
        named = _named(content, decision.shares if decision else {})
        return KeptAnswer(incoming.status, headers, content, named), may_be_kept


def _failed_for_nobody(work: _Work) -> None:
    """Say what became of work whose caller has left."""
    if not work.cancelled() and (error := work.exception()) is not None:
        logger.warning("a request whose caller has left was not done", extra={"reason": type(error).__name__})


def _refusal(outcome: Outcome) -> Refusal:
    if outcome is Outcome.REUSED:
        return KeyReused("This Idempotency-Key was used for another request.")
    if outcome is Outcome.RUNNING:
        return RequestRunning("The first request with this Idempotency-Key is still running.", _LATER)
    return FateUnknown("Whether the first request was done is not known; look, then ask with a new key.")


def _key(call: Call) -> str:
    """The key, without quotes; raises ``Malformed``."""
    told = [value.decode("latin-1").strip() for name, value in call.headers if name.lower() == KEY]
    if len(told) != 1 or not _PATTERN.fullmatch(told[0]):
        raise Malformed("An Idempotency-Key is one string of 1 to 255 printable ASCII characters.")
    return told[0].strip('"')


async def _whole(call: Call, route: Route, digest: str) -> _Request:
    """The request in memory, which makes what it makes under an id that comes from the key."""
    body = bytearray()
    async for chunk in call.body.chunks():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"A request with an Idempotency-Key holds at most {MOST_BYTES} bytes.")
    asked = (call.method, call.path, call.query, call.asked.get(b"content-type", ""))
    same = hashlib.sha256("\n".join(asked).encode() + b"\n" + body).hexdigest()
    sent, query = bytes(body), call.query
    made_id = str(uuid.UUID(bytes=bytes.fromhex(digest)[:16], version=4))
    if route.client_id == "body":
        sent = _with_id(sent, made_id)
    elif route.client_id == "query" and not any(part.startswith("id=") for part in call.query.split("&")):
        query = "&".join([*call.parameters(), f"id={made_id}"])
    request = outgoing(call, route)
    headers = tuple(pair for pair in request.headers if pair[0] != b"content-length")
    length = (b"content-length", str(len(sent)).encode())
    request = msgspec.structs.replace(request, query=query, headers=(*headers, length), body=sent)
    return _Request(request, same)


def _with_id(body: bytes, made_id: str) -> bytes:
    """The JSON object with an id, unless it has one; anything else stays as it is, for the service to refuse."""
    try:
        content = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if bytes(content.get("id", msgspec.Raw(b"null"))).strip() != b"null":
        return body
    return msgspec.json.encode({**content, "id": made_id})


def _named(body: bytes, shares: Shares) -> tuple[Named, ...]:
    """The factories that an answer names of those that share with the buyer, by kind."""
    names = {name.decode() for name in _NAMES.findall(body)}
    return tuple(
        Named(kind, factory_id) for kind, shared in shares.items() for factory_id in sorted(names & shared.factories)
    )

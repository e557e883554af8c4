"""A client of the public API, for the command line and the demo: one person, one session, problems as exceptions."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from contracts.errors import Problem

IDLE_S = 2.0
"""A connection is given up before a server does (uvicorn after 5 s), so that a request seldom meets a closing one."""

PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)


def api_session() -> aiohttp.ClientSession:
    """A session for ``Client``."""
    connector = aiohttp.TCPConnector(keepalive_timeout=IDLE_S)
    return aiohttp.ClientSession(connector=connector, timeout=PATIENCE)


SignIn = Callable[[str], Awaitable[str]]
"""Gives an access token for a user name."""


class Refused(Exception):
    """The API answered with a problem."""

    def __init__(self, status: int, problem: Problem) -> None:
        trace = f" (trace {problem.trace_id})" if problem.trace_id else ""
        super().__init__(f"{status} {problem.code}: {problem.detail}{trace}")
        self.status = status
        self.problem = problem


class Answer(msgspec.Struct, frozen=True):
    """What the API answered: ``ms`` is the round trip, ``body`` the raw bytes."""

    status: int
    body: bytes
    trace_id: str
    ms: float
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)


class _Token(msgspec.Struct):
    access_token: str


class Client:
    """Calls ``/api/v1`` as one person; the token is fetched again when it has run out."""

    def __init__(self, session: aiohttp.ClientSession, url: str, user: str, sign_in: SignIn) -> None:
        """``sign_in`` gives an access token for a user name; it is asked again when the token has run out."""
        self._session = session
        self._url = url.rstrip("/")
        self._sign_in = sign_in
        self._token = ""
        self.user = user

    def as_user(self, user: str) -> "Client":
        """The same API for another person."""
        return Client(self._session, self._url, user, self._sign_in)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return whatever was answered."""
        sent = dict(headers or {})
        if body is not None:
            data = msgspec.json.encode(body)
            sent["content-type"] = "application/json"
        is_signed_in = bool(self._token)
        answer = await self._send(method, path, data, sent)
        if answer.status == 401:
            self._token = ""
            if is_signed_in and (data is None or isinstance(data, bytes)):
                answer = await self._send(method, path, data, sent)
        return answer

    async def _send(
        self, method: str, path: str, data: bytes | AsyncIterator[bytes] | None, headers: Mapping[str, str]
    ) -> Answer:
        sent = {"authorization": await self._authorization(), **headers}
        started = time.perf_counter()
        url = f"{self._url}/api/v1{path}"
        async with self._session.request(method, url, data=data, headers=sent) as response:
            content = await response.read()
        received = {name.lower(): value for name, value in response.headers.items()}
        ms = (time.perf_counter() - started) * 1000
        return Answer(response.status, content, received.get("trace-id", ""), round(ms, 1), received)

    async def get(self, path: str) -> Any:
        """Read JSON; raises ``Refused``."""
        return checked(await self.call("GET", path)).json

    async def post(self, path: str, body: object = None, *, data: bytes | None = None, media_type: str = "") -> Any:
        """Send JSON or bytes and read JSON; raises ``Refused``."""
        headers = {"content-type": media_type} if media_type else None
        return checked(await self.call("POST", path, body, data=data, headers=headers)).json

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """Read a body of any length; raises ``Refused`` before the first chunk."""
        headers = {"authorization": await self._authorization()}
        async with self._session.get(f"{self._url}/api/v1{path}", headers=headers) as response:
            if response.status >= 400:
                raise refusal(response.status, await response.read())
            async for chunk in response.content.iter_chunked(64 * 1024):
                yield chunk

    async def _authorization(self) -> str:
        if not self._token:
            self._token = await self._sign_in(self.user)
        return f"Bearer {self._token}"


@contextlib.asynccontextmanager
async def client_of(url: str, user: str, token: str = "") -> AsyncIterator[Client]:
    """The API with the access token, or without one as a demo user of an embedded run."""

    async def given(_: str) -> str:
        return token

    async with api_session() as session:
        yield Client(session, url, user, given if token else development_sign_in(session, url))


def development_sign_in(session: aiohttp.ClientSession, url: str) -> SignIn:
    """Sign in at the development issuer of an embedded run."""

    async def sign_in(user: str) -> str:
        async with session.post(f"{url.rstrip('/')}/dev/token", json={"user": user}) as response:
            content = await response.read()
        if response.status != 200:
            raise refusal(response.status, content)
        return msgspec.json.decode(content, type=_Token).access_token

    return sign_in


def checked(answer: Answer) -> Answer:
    """The answer when it is a success; raises ``Refused`` otherwise."""
    if answer.status >= 400:
        raise refusal(answer.status, answer.body)
    return answer


def refusal(status: int, content: bytes) -> Refused:
    """The exception for a problem body, also when something in between answered in another shape."""
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.MsgspecError:
        problem = Problem(title="Unreadable answer", status=status, code="unreadable", detail=repr(content[:200]))
    return Refused(status, problem)

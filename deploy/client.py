"""A client of the public API, for the command line and the demo: one person, one session, problems as exceptions."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec

from contracts.errors import Problem


class Refused(Exception):
    """The API answered with a problem."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(f"{status} {problem.code}: {problem.detail} (trace {problem.trace_id})")
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


class Client:
    """Calls ``/api/v1`` as one person; the token is fetched again when it has run out."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, user: str = "", token: str = "") -> None:
        """``user`` signs in at the development issuer of an embedded run; ``token`` is an access token instead."""
        self._session = session
        self._url = url.rstrip("/")
        self._user = user
        self._token = token

    def as_user(self, user: str) -> "Client":
        """The same API for another demo user."""
        return Client(self._session, self._url, user=user)

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
        started = time.perf_counter()
        if not self._token:
            await self._sign_in()
        sent = {"authorization": f"Bearer {self._token}", **(headers or {})}
        if body is not None:
            data = msgspec.json.encode(body)
            sent["content-type"] = "application/json"
        url = f"{self._url}/api/v1{path}"
        async with self._session.request(method, url, data=data, headers=sent) as response:
            content = await response.read()
        if response.status == 401 and self._user and not isinstance(data, AsyncIterator):
            self._token = ""
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
        if not self._token:
            await self._sign_in()
        headers = {"authorization": f"Bearer {self._token}"}
        async with self._session.get(f"{self._url}/api/v1{path}", headers=headers) as response:
            if response.status >= 400:
                raise refusal(response.status, await response.read())
            async for chunk in response.content.iter_chunked(64 * 1024):
                yield chunk

    async def _sign_in(self) -> None:
        async with self._session.post(f"{self._url}/dev/token", json={"user": self._user}) as response:
            content = await response.read()
        if response.status != 200:
            raise refusal(response.status, content)
        self._token = msgspec.json.decode(content)["access_token"]


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

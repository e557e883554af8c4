"""A person on a bad line: asks again, with the same ids, until there is an answer."""

import asyncio
import random
import time
from typing import Any, Final

import aiohttp
import msgspec

from deploy.client import Answer, Client, Refused, SignIn
from tests.crash.journal import Journal

LONGEST_ATTEMPT_S: Final = 30.0
GIVES_UP_S: Final = 180.0
COME_AGAIN: Final = frozenset({401, 408, 429, 502, 503, 504})
LOST_ANSWERS: Final = 0.08
HANG_UPS: Final = 0.02
LONGEST_BEFORE_HANGING_UP_S: Final = 0.03
NOT_YET: Final = frozenset({404})


class Unanswered(AssertionError):
    """Nobody answered for minutes."""


class Line:
    """What the people of one workload share: the connection, the gateway's address, the journal."""

    def __init__(self, session: aiohttp.ClientSession, url: str, sign_in: SignIn, journal: Journal) -> None:
        self._client = Client(session, url, "", sign_in)
        self._people: dict[str, Client] = {}
        self.journal = journal

    async def ask(
        self,
        user: str,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        media_type: str = "",
        again_on: frozenset[int] = frozenset(),
    ) -> Answer:
        """Ask until somebody answers anything but "come again"; a 500 is noted as a fault and asked again too."""
        deadline = time.monotonic() + GIVES_UP_S
        headers = {"content-type": media_type} if media_type else None
        client = self._people.setdefault(user, self._client.as_user(user))
        last = "nothing"
        while time.monotonic() < deadline:
            answer = await self._attempt(client, method, path, body, data, headers)
            if isinstance(answer, str):
                last = answer
            elif answer.status == 500:
                last = answer.body.decode(errors="replace")
                self.journal.fault(f"500 on {method} {path}: {last}")
            elif answer.status not in COME_AGAIN | again_on:
                self.journal.requests += 1
                return answer
            else:
                last = answer.body.decode(errors="replace")
                self._check_problem(method, path, answer)
            await asyncio.sleep(random.uniform(0.05, 0.3))
        raise Unanswered(f"{user} {method} {path}: {last}")

    async def expect(self, status: int, user: str, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Ask, and raise for any other status than this one."""
        answer = await self.ask(user, method, path, body, **options)
        if answer.status != status:
            problem = answer.body.decode(errors="replace")[:500]
            self.journal.fault(f"{answer.status} instead of {status} on {user} {method} {path}: {problem}")
            raise AssertionError(self.journal.faults[-1])
        return answer.json if answer.body and not answer.body.startswith(b"%PDF") else answer.body

    async def _attempt(
        self,
        client: Client,
        method: str,
        path: str,
        body: object,
        data: bytes | None,
        headers: dict[str, str] | None,
    ) -> Answer | str:
        """One attempt: the answer, or why there was none."""
        started = time.monotonic()
        self.journal.attempts += 1
        # The line may also break at the caller's end: before the answer, or when it had almost arrived.
        hangs_up, loses = random.random() < HANG_UPS, random.random() < LOST_ANSWERS
        patience_s = random.uniform(0, LONGEST_BEFORE_HANGING_UP_S) if hangs_up else LONGEST_ATTEMPT_S
        try:
            async with asyncio.timeout(patience_s):
                answer = await client.call(method, path, body, data=data, headers=headers)
        except (aiohttp.ClientError, TimeoutError, OSError, Refused) as error:
            self.journal.unanswered += 1
            return repr(error)
        finally:
            self.journal.timed(f"{method} {path}", time.monotonic() - started)
        self.journal.statuses[answer.status] += 1
        if loses:
            self.journal.lost_answers += 1
            return "the answer was lost"
        return answer

    def _check_problem(self, method: str, path: str, answer: Answer) -> None:
        kind = answer.headers.get("content-type", "")
        if answer.status >= 400 and not kind.startswith("application/problem+json"):
            self.journal.fault(f"{answer.status} on {method} {path} is no problem+json but {kind!r}")
        if answer.status == 503 and "retry-after" not in answer.headers:
            code = msgspec.json.decode(answer.body).get("code")
            self.journal.fault(f"503 {code} on {method} {path} does not say when to come back")

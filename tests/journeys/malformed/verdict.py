"""What an answer to an attack must and must not be."""

import re
from collections import Counter
from typing import Any, Final

import msgspec

from services.runtime.http import PROBLEM
from tests.journeys.malformed.attack import STRANGERS, Attack, Ground
from tests.journeys.malformed.directories import WRONG_DIRECTORY
from tests.journeys.malformed.wire import Answer

LONGEST_REFUSAL: Final = 8_000
PARSER_REFUSAL: Final = b"Invalid HTTP request received."
"""What the HTTP server itself says to bytes that it cannot read as a request: there is no request to refuse."""

INSIDES: Final = re.compile(
    rb"Traceback|File \"|line \d+, in|site-packages|/home/|/usr/lib|/tmp/|\.py\b|\.sqlite|"
    rb"\b(?:services|gateway|contracts|deploy)\.[a-z_]+\.|litestar|msgspec|uvicorn|sqlite3?\b|pymongo|motor\b|aiohttp|"
    rb"Exception|object at 0x|NoneType|<class|-----BEGIN|OperationalError|Error code"
)
SCIM: Final = "application/scim+json"
SCIM_ERROR: Final = ("schemas", "detail")
"""What RFC 7644 wants of an error."""

NOT_OF_A_STRANGER: Final = ("visit_id", "evidence_id", "report_id", "plan_id", "grant_id", "recommendation_id")


HONEST: Final = (b'"consent_unknown"', b'"consent_changed"', b"on record in time")
"""Why a country that is kept so busy may say that it cannot tell just now: the lease ran out meanwhile."""


class Verdicts:
    """Judges answers and keeps what is wrong, by kind."""

    def __init__(self, ground: Ground, canaries: list[str]) -> None:
        self._hidden = [ground.stage.ids[name] for name in NOT_OF_A_STRANGER] + canaries
        self._tokens = [token.split(".")[-1][:40].encode() for token in ground.tokens.values()]
        self.faults: list[str] = []
        self.unavailable = 0
        self.statuses: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.unanswered: Counter[str] = Counter()

    def judge(self, attack: Attack, answers: list[Answer]) -> None:
        """Note every way in which the answers to an attack are wrong."""
        self.kinds[attack.kind] += 1
        final = [answer for answer in answers if answer.status >= 200]
        if not final:
            self.unanswered[attack.kind] += 1
            if attack.is_framed:
                self._wrong(attack, "no answer to a request that is framed well")
        for answer in final:
            self.statuses[answer.status] += 1
            self._judge(attack, answer)

    def broken(self, attack: Attack, error: Exception) -> None:
        """What came back was no HTTP."""
        self._wrong(attack, f"{type(error).__name__}: {error}")

    def _judge(self, attack: Attack, answer: Answer) -> None:
        whole = answer.body + repr(answer.headers).encode()
        if answer.status == 503 and any(code in answer.body for code in HONEST):
            self.unavailable += 1
            self._judge_refusal(attack, answer)
        elif answer.status >= 500:
            self._wrong(attack, f"{answer.status}: {answer.body[:500]!r}")
        elif answer.status >= 400:
            self._judge_refusal(attack, answer)
            if found := INSIDES.search(_without_what_was_sent(whole, attack)):
                self._wrong(attack, f"{answer.status} tells of the inside: {found[0]!r} in {whole[:600]!r}")
        if attack.is_framed and answer.status < 400 and (attack.is_foreign or attack.caller == "nobody"):
            self._wrong(attack, f"{answer.status} for somebody who has no business here: {answer.body[:300]!r}")
        self._judge_secrets(attack, answer, whole)

    def _judge_secrets(self, attack: Attack, answer: Answer, whole: bytes) -> None:
        if attack.caller in STRANGERS:
            for word in self._hidden:
                if word.encode() in whole and word.encode() not in attack.content:
                    self._wrong(attack, f"{answer.status} shows {word}: {answer.body[:300]!r}")
        for part in self._tokens:
            if part in whole:
                self._wrong(attack, f"{answer.status} holds a part of a token: {answer.body[:300]!r}")

    def _judge_refusal(self, attack: Attack, answer: Answer) -> None:
        if not attack.is_framed and answer.status == 400 and answer.body == PARSER_REFUSAL:
            return
        is_scim = attack.kind == WRONG_DIRECTORY and answer.header("content-type") == SCIM
        if not is_scim and answer.header("content-type") != PROBLEM:
            self._wrong(attack, f"{answer.status} as {answer.header('content-type')!r}: {answer.body[:200]!r}")
            return
        if not answer.body:  # to HEAD
            return
        try:
            problem: dict[str, Any] = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            self._wrong(attack, f"{answer.status} is no JSON: {answer.body[:200]!r}")
            return
        whole = SCIM_ERROR if is_scim else ("code", "title")
        if str(problem.get("status")) != str(answer.status) or not all(problem.get(name) for name in whole):
            self._wrong(attack, f"{answer.status} is half a problem: {answer.body[:200]!r}")
        if len(answer.body) > LONGEST_REFUSAL:
            self._wrong(attack, f"{answer.status} is {len(answer.body)} bytes long: {answer.body[:200]!r}")

    def _wrong(self, attack: Attack, text: str) -> None:
        first = attack.content.partition(b"\r\n")[0][:160]
        body = attack.content.partition(b"\r\n\r\n")[2][:160]
        self.faults.append(f"[{attack.kind} by {attack.caller}] {first!r} {body!r} -> {text}")


def _without_what_was_sent(whole: bytes, attack: Attack) -> bytes:
    """An answer may say back what it was told; what it adds must tell nothing."""
    return (
        re.sub(rb"[^\s\"':,{}]*(?:etc/passwd|\.exe)[^\s\"':,{}]*", b"", whole) if b"passwd" in attack.content else whole
    )

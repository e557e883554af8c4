"""Which pages of other origins may call the API from a browser: those that the country names, and no others.

A page sends its token itself, in a header. Cookies are not known here, so that credentials are never allowed, and an
origin that is not named hears nothing that its browser would let it read.
"""

import re
from typing import Final

from gateway.answers import Answer
from gateway.call import Call
from gateway.upstream import Headers
from services.runtime.settings import InvalidSettings

METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED: Final = (
    b"accept, accept-language, at-least-epoch, authorization, content-type, dpop, idempotency-key, if-match, "
    b"if-none-match, range, star-party, traceparent"
)
TOLD: Final = (
    b"content-disposition, deprecation, dpop-nonce, etag, idempotency-replayed, link, ratelimit, ratelimit-policy, "
    b"retry-after, star-epoch, star-page, sunset, trace-id, www-authenticate"
)
PREFLIGHT_S: Final = b"600"
"""For so long a browser need not ask again whether it may ask."""

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?", re.ASCII)
_VARY: Final = (b"vary", b"origin")


class Origins:
    """The origins that a country names."""

    def __init__(self, named: str) -> None:
        """``named`` are origins with spaces between; raises ``InvalidSettings`` for anything that is none."""
        self._named = frozenset(named.split())
        if wrong := [name for name in sorted(self._named) if not _ORIGIN.fullmatch(name)]:
            raise InvalidSettings(f"STAR_CORS_ORIGINS: {wrong[0]} is no origin such as https://portal.example.org")

    def headers(self, call: Call) -> Headers:
        """What every answer to this call carries."""
        if not self._named:
            return ()
        origin = call.asked.get(b"origin", "")
        if origin not in self._named:
            return (_VARY,)
        allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
        return _VARY, allowed, (b"access-control-expose-headers", TOLD)

    def preflight(self, call: Call) -> Answer | None:
        """The answer to a browser that asks whether a page may ask, ``None`` for anything else."""
        is_question = call.method == "OPTIONS" and b"access-control-request-method" in call.asked
        if not is_question or call.asked.get(b"origin", "") not in self._named:
            return None
        allowed = (
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", ASKED),
            (b"access-control-max-age", PREFLIGHT_S),
        )
        return Answer(204, b"", headers=allowed)

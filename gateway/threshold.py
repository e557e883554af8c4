"""What holds for every request before anything else is asked: how long its head may be, and who may read answers."""

from typing import Final

from contracts.errors import Refusal
from gateway.answers import Answer
from gateway.call import Call
from gateway.cors import Origins
from services.runtime.settings import Settings

MOST_HEADERS: Final = 100
MOST_HEADER_BYTES: Final = 32 * 1024
MOST_ADDRESS_BYTES: Final = 16 * 1024


class HeadersTooLarge(Refusal):
    """The headers are too many or too long."""

    status = 431
    code = "headers_too_large"


class AddressTooLong(Refusal):
    """The path and query are longer than any that this API gives out."""

    status = 414
    code = "address_too_long"


class Threshold:
    """The first look at a request."""

    def __init__(self, settings: Settings) -> None:
        """``settings.hsts_s`` is for a gateway behind TLS; raises ``InvalidSettings``."""
        self._origins = Origins(settings.cors_origins)
        value = f"max-age={settings.hsts_s}; includeSubDomains".encode()
        self._always = ((b"strict-transport-security", value),) if settings.hsts_s > 0 else ()

    def crossed(self, call: Call) -> Answer | None:
        """The answer when there is nothing more to ask; raises ``HeadersTooLarge`` and ``AddressTooLong``."""
        call.added += (*self._always, *self._origins.headers(call))
        if len(call.path) + len(call.query) > MOST_ADDRESS_BYTES:
            raise AddressTooLong("The address is too long.")
        if len(call.headers) > MOST_HEADERS or sum(len(n) + len(v) for n, v in call.headers) > MOST_HEADER_BYTES:
            raise HeadersTooLarge(
                f"The headers are more than {MOST_HEADERS}, or longer than {MOST_HEADER_BYTES} bytes."
            )
        return self._origins.preflight(call)

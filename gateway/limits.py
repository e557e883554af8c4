"""Who has asked too often: callers by what their token names, and addresses from which no token can be believed."""

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Final

from contracts.identity import Principal
from gateway.answers import RefusedWith
from gateway.call import Call
from gateway.dpop import NotProven
from gateway.rates import Quota, Rates
from services.runtime.identity import NotAuthenticated
from services.runtime.settings import Settings

NETWORK_BITS: Final = 64
"""Of an IPv6 address: whoever has one has all that begin with these."""


class TooManyRequests(RefusedWith):
    """The caller asks more often than it may."""

    status = 429
    code = "too_many_requests"


class TooManyFailures(RefusedWith):
    """Too many tokens from one address could not be believed."""

    status = 429
    code = "too_many_failures"


class Limits:
    """The limits of one gateway, each for itself; a rate of 0 sets none."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._callers = Rates("caller", per_s=settings.rate_per_s, burst=settings.rate_burst, clock=clock)
        self._failures = Rates("failures", per_s=settings.failures_per_s, burst=settings.failure_burst, clock=clock)

    def asked(self, principal: Principal, call: Call) -> None:
        """Count a request and have the answer tell what is left; raises ``TooManyRequests``.

        A buyer has one bucket, however many of its staff and machines ask.
        """
        buyer_id = principal.buyer_id
        quota = self._callers.take(("party", buyer_id) if buyer_id is not None else ("subject", principal.subject))
        if quota is None:
            return
        call.added += self._callers.headers(quota)
        if not quota.is_granted:
            raise TooManyRequests("You are asking too often; wait a little.", _later(quota))

    def failed(self, error: NotAuthenticated, call: Call) -> None:
        """Count a token that was not believed; raises ``TooManyFailures`` where there were too many.

        NOTE: only failures are refused. A good token is taken from wherever it comes: callers behind the same proxy
        share an address, and one of them must not be able to lock the others out. This machine's own address has
        no limit: it is that of a proxy that does not tell for whom it asks.
        """
        network = _network(call.address)
        if network is None or (isinstance(error, NotProven) and error.is_question):
            return
        quota = self._failures.take(network)
        if quota is not None and not quota.is_granted:
            raise TooManyFailures("Too many tokens from your address could not be believed.", _later(quota))


def _later(quota: Quota) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"retry-after", str(max(1, math.ceil(quota.one_more_s))).encode()),)


def _network(address: str) -> str | None:
    """What is limited as one: an IPv4 address, the network of an IPv6 one, whatever else a server calls a caller."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address or None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            network = ipaddress.ip_network((found, NETWORK_BITS), strict=False)
            return None if found.is_loopback else str(network)
        found = found.ipv4_mapped
    return None if found.is_loopback else str(found)

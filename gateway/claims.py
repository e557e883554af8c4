"""What the gateway asks access about requests with an ``Idempotency-Key``: who does them, and what came of them."""

from typing import Final

import msgspec

from contracts.repetitions import Claim, Claimed, Ended
from gateway.signing import Signatures, itself
from gateway.upstream import Outgoing, Upstream, UpstreamDown
from services.runtime.identity import Signer
from services.runtime.settings import Settings

_PATH: Final = "/internal/repetitions/"
_ROUTE: Final = "/internal/repetitions/{key}"


class Claims:
    """The claims as access keeps them."""

    def __init__(self, access: Upstream, signer: Signer, settings: Settings) -> None:
        self._access = access
        self._signatures = Signatures(signer)
        self._principal = itself(settings.gateway_id, settings.country)

    async def claim(self, key: str, claim: Claim) -> Claimed:
        """Ask whether to do a request; raises ``UpstreamDown``."""
        content = await self._asked("POST", f"{_PATH}{key}/claim", f"{_ROUTE}/claim", claim)
        return msgspec.json.decode(content, type=Claimed)

    async def end(self, key: str, ended: Ended) -> None:
        """Have it kept what an attempt ended with, durably; raises ``UpstreamDown``."""
        await self._asked("PUT", f"{_PATH}{key}", _ROUTE, ended)

    async def _asked(self, method: str, target: str, route: str, told: Claim | Ended) -> bytes:
        body = msgspec.json.encode(told)
        headers = (
            (b"authorization", self._signatures.header(self._principal, None)),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        )
        request = Outgoing(method=method, target=target, headers=headers, body=body, route=route)
        async with self._access.exchange(request) as answer:
            content = b"".join([chunk async for chunk in answer.chunks])
        if answer.status not in {200, 204}:
            raise UpstreamDown("Whether this was asked before cannot be found out just now.")
        return content

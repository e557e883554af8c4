"""The HTTP routes of access, by noun."""

from litestar import Router
from litestar.di import Provide

from services.access.api import (
    agreements,
    changes,
    consent,
    disclosures,
    entitlements,
    grants,
    notices,
    organisations,
    papers,
    parties,
    reads,
    repetitions,
    requests,
    scim,
    terms,
    webhooks,
)
from services.access.api.speaking import principal_of

PUBLIC = (
    changes,
    webhooks,
    parties,
    grants,
    entitlements,
    disclosures,
    notices,
    consent,
    reads,
    requests,
    agreements,
    papers,
    organisations,
    terms,
)
INTERNAL = (consent, reads, repetitions)


def routes() -> list[Router]:
    """The public routes, the internal ones that no gateway passes on, and those of directories."""
    public = [handler for noun in PUBLIC for handler in noun.HANDLERS]
    internal = [handler for noun in INTERNAL for handler in noun.INTERNAL]
    speaking = {"principal": Provide(principal_of)}
    return [
        Router("/api/v1", route_handlers=public, dependencies=speaking),
        Router("/internal", route_handlers=internal),
        scim.router(),
    ]

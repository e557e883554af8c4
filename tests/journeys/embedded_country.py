"""``python -m tests.journeys.embedded_country``: the embedded country with the people of the journeys."""

import uvloop

from deploy.embedded import embedded
from gateway.connections import RevocableHttp
from services.runtime.service import serve
from services.runtime.settings import Settings
from services.runtime.telemetry import flush_traces, set_up_logs
from tests.journeys.people import EVERYBODY


async def main() -> None:
    settings = Settings.from_environment()
    set_up_logs("embedded", settings.log_level)
    async with embedded(settings, EVERYBODY) as country:
        await serve(country.gateway.app, settings, http=RevocableHttp)


if __name__ == "__main__":
    uvloop.run(main())
    flush_traces()

"""A gateway in a process of its own, for tests that stop and wake it: ``process ACCESS_URL FOLDER``."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from gateway.app import make_gateway
from gateway.upstream import HttpUpstream
from services.runtime.settings import Secret
from tests.gateway.running import DOCUMENT, USERS, everywhere, gateway_settings, serving


async def main(access_url: str, folder: Path) -> None:
    key = Secret(os.environ["STAR_TEST_SIGNING_KEY"])
    settings = msgspec.structs.replace(gateway_settings(folder), signing_key=key)
    gateway = make_gateway(settings, everywhere(HttpUpstream(access_url)), dev_users=USERS, document=DOCUMENT)
    await gateway.start()
    async with serving(gateway.app) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

"""``python -m gateway``: the gateway of one deployed country."""

import asyncio

import uvloop

from gateway.app import make_gateway
from gateway.connections import RevocableHttp
from gateway.keys import HttpFetch
from gateway.oidc import Oidc
from gateway.upstream import HttpUpstream
from services.runtime.service import serve
from services.runtime.settings import BoundTokens, Environment, InvalidSettings, Settings
from services.runtime.telemetry import flush_traces, set_up_logs, set_up_traces


def deployed_settings() -> Settings:
    """The settings from the environment; raises ``InvalidSettings`` for what a deployed gateway cannot do without."""
    settings = Settings.from_environment()
    if settings.environment is not Environment.DEPLOYED:
        raise InvalidSettings("the gateway runs deployed (STAR_ENVIRONMENT=deployed); embedded is: star run")
    if not settings.oidc_issuer:
        raise InvalidSettings("STAR_OIDC_ISSUER is needed by the gateway")
    is_bound = settings.bound_tokens is not BoundTokens.OFF
    if is_bound and not (settings.public_url or settings.client_cert_header):
        raise InvalidSettings("STAR_BOUND_TOKENS needs STAR_PUBLIC_URL (DPoP) or STAR_CLIENT_CERT_HEADER (mTLS)")
    return settings


async def serve_deployed(settings: Settings) -> None:
    """Answer HTTP until SIGTERM or SIGINT."""
    upstreams = {
        "access": HttpUpstream(settings.access_url),
        "assessment": HttpUpstream(settings.assessment_url),
        "remediation": HttpUpstream(settings.remediation_url),
        "training": HttpUpstream(settings.training_url),
        "reporting": HttpUpstream(settings.reporting_url),
    }
    identity = Oidc.of(settings, settings.oidc_issuer, HttpFetch())
    gateway = make_gateway(settings, upstreams, identity=identity)
    await gateway.start()
    try:
        await serve(gateway.app, settings, http=RevocableHttp)
    finally:
        await gateway.stop()


def main() -> None:
    """Be the process."""
    try:
        settings = deployed_settings()
    except InvalidSettings as error:
        raise SystemExit(str(error)) from error
    set_up_logs("gateway", settings.log_level)
    set_up_traces("gateway", settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_deployed(settings))
    flush_traces()


if __name__ == "__main__":
    main()

"""Settings from the environment, prefix ``STAR_``: frozen, checked at start, secrets never printed."""

import logging
import math
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from zoneinfo import ZoneInfo

import msgspec


class InvalidSettings(Exception):
    """A setting is missing or wrong; the message names the variable, never a secret."""


class Environment(StrEnum):
    """Where the process runs: everything in one process on a laptop, or a country's servers."""

    EMBEDDED = "embedded"
    DEPLOYED = "deployed"


class BoundTokens(StrEnum):
    """Whose tokens must be bound to a key or a certificate: nobody's, or those of buyers."""

    OFF = "off"
    BUYERS = "buyers"


class Secret(str):
    """A string that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


class Doc(msgspec.Struct, frozen=True):
    """What ``country.env.example`` says of a setting."""

    text: str
    group: str


def _says(group: str, text: str) -> Doc:
    return Doc(text, group)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of every process. Durations end in ``_s`` (seconds) or ``_ms``."""

    environment: Annotated[Environment, _says("Country", "embedded (one process) or deployed")] = Environment.EMBEDDED
    country: Annotated[str, _says("Country", "ISO 3166-1 alpha-2 code of the programme's country")] = "ZZ"
    time_zone: Annotated[str, _says("Country", "IANA time zone of the programme office")] = "UTC"
    data_folder: Annotated[Path, _says("Embedded", "folder for everything an embedded run keeps")] = Path("data")
    host: Annotated[str, _says("Process", "address to listen on")] = "127.0.0.1"
    port: Annotated[int, _says("Process", "port to listen on")] = 8000
    log_level: Annotated[str, _says("Process", "DEBUG, INFO, WARNING or ERROR")] = "INFO"
    grace_s: Annotated[float, _says("Process", "time for running requests and messages at shutdown")] = 5.0
    mongo_url: Annotated[Secret, _says("Stores", "MongoDB connection string")] = Secret()
    amqp_url: Annotated[Secret, _says("Stores", "RabbitMQ connection string")] = Secret()
    s3_url: Annotated[str, _says("Stores", "S3 endpoint, e.g. http://minio:9000")] = ""
    s3_access_key: Annotated[str, _says("Stores", "S3 access key")] = ""
    s3_secret_key: Annotated[Secret, _says("Stores", "S3 secret key")] = Secret()
    s3_bucket: Annotated[str, _says("Stores", "S3 bucket; each service keeps its own prefix")] = "star"
    retry_delay_ms: Annotated[int, _says("Bus", "pause before a failed message is tried again")] = 2000
    retry_attempts: Annotated[int, _says("Bus", "attempts before a message is parked with its reason")] = 8
    outbox_scan_s: Annotated[float, _says("Bus", "how often the outbox is scanned for what was missed")] = 5.0
    oidc_issuer: Annotated[str, _says("Identity", "OIDC issuer; discovery and keys are read from it")] = ""
    oidc_audience: Annotated[str, _says("Identity", "audience that an access token must carry")] = "star"
    public_url: Annotated[str, _says("Identity", "address by which callers know the gateway, as in DPoP proofs")] = ""
    bound_tokens: Annotated[BoundTokens, _says("Identity", "off, or buyers: DPoP or mTLS")] = BoundTokens.OFF
    dpop_nonce_s: Annotated[float, _says("Identity", "how long a nonce for DPoP proofs holds; 0 asks for none")] = 0.0
    client_cert_header: Annotated[str, _says("Identity", "RFC 9440 header that the TLS proxy sets; empty: none")] = ""
    member_claim: Annotated[str, _says("Identity", "claim that SCIM's userName is compared with")] = "sub"
    signing_key: Annotated[Secret, _says("Identity", "Ed25519 key of the gateway (base64 of 32 bytes)")] = Secret()
    verify_key: Annotated[str, _says("Identity", "its public half, for the services (base64 of 32 bytes)")] = ""
    lease_s: Annotated[float, _says("Consent", "how long a gateway may decide without hearing from access")] = 5.0
    gateway_id: Annotated[str, _says("Consent", "name of this gateway process, unique in the country")] = "gateway"
    ledger_key: Annotated[Secret, _says("Consent", "Ed25519 key of the ledger (base64 of 32 bytes)")] = Secret()
    ledger_previous_key: Annotated[Secret, _says("Consent", "the key that ledger_key replaces")] = Secret()
    ledger_anchor: Annotated[str, _says("Consent", "fingerprint of the first key that is trusted; see RUNNING")] = ""
    request_days: Annotated[int, _says("Consent", "days that a buyer's request for access waits for an answer")] = 30
    rate_per_s: Annotated[float, _says("Limits", "requests a second by one caller, lasting; 0: no limit")] = 100.0
    rate_burst: Annotated[int, _says("Limits", "requests by one caller at once")] = 1000
    failures_per_s: Annotated[float, _says("Limits", "tokens refused a second by address; 0: no limit")] = 0.5
    failure_burst: Annotated[int, _says("Limits", "tokens refused at once by address, then 429")] = 30
    cors_origins: Annotated[str, _says("Browsers", "origins whose pages may call, with spaces; empty: none")] = ""
    hsts_s: Annotated[int, _says("Browsers", "Strict-Transport-Security, behind TLS only; 0: not sent")] = 0
    webhook_loopback: Annotated[bool, _says("Webhooks", "send also to this computer; never when deployed")] = False
    access_url: Annotated[str, _says("Services", "where the gateway finds access")] = "http://127.0.0.1:8001"
    assessment_url: Annotated[str, _says("Services", "where it finds assessment")] = "http://127.0.0.1:8002"
    remediation_url: Annotated[str, _says("Services", "where it finds remediation")] = "http://127.0.0.1:8003"
    training_url: Annotated[str, _says("Services", "where it finds training")] = "http://127.0.0.1:8004"
    reporting_url: Annotated[str, _says("Services", "where it finds reporting")] = "http://127.0.0.1:8005"
    otlp_url: Annotated[str, _says("Telemetry", "OTLP/HTTP collector, e.g. http://otel:4318; empty keeps none")] = ""
    trace_ratio: Annotated[float, _says("Telemetry", "share of new traces that are kept, 0 to 1")] = 1.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **overrides: Any) -> "Settings":
        """Read ``STAR_*``; raises ``InvalidSettings`` naming the first variable that is wrong."""
        found: dict[str, Any] = {}
        for name, hint in get_type_hints(cls).items():
            if (raw := environ.get(f"STAR_{name.upper()}")) is not None and name not in overrides:
                found[name] = _parsed(name, hint, raw)
        settings = cls(**{**found, **overrides})
        settings._check()
        return settings

    def _check(self) -> None:
        if not re.fullmatch(r"[A-Z]{2}", self.country):
            raise InvalidSettings("STAR_COUNTRY must be two capital letters (ISO 3166-1 alpha-2)")
        if self.log_level not in logging.getLevelNamesMapping():
            raise InvalidSettings(f"STAR_LOG_LEVEL: {self.log_level} is none of DEBUG, INFO, WARNING and ERROR")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise InvalidSettings(f"STAR_TIME_ZONE: {self.time_zone} is no IANA time zone known here") from error
        if not 0 <= self.trace_ratio <= 1:
            raise InvalidSettings("STAR_TRACE_RATIO must be from 0 to 1")
        for name in ("lease_s", "outbox_scan_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidSettings(f"STAR_{name.upper()} must be a number of seconds above 0")

    def deployed(self) -> "Settings":
        """These settings; raises ``InvalidSettings`` unless they are of a deployed country."""
        if self.environment is not Environment.DEPLOYED:
            raise InvalidSettings("this process needs STAR_ENVIRONMENT=deployed; embedded, everything is: star run")
        if self.webhook_loopback:
            raise InvalidSettings("STAR_WEBHOOK_LOOPBACK must not be set when deployed")
        return self

    def demand(self, *names: str) -> None:
        """Raise ``InvalidSettings`` naming those of these settings that are empty."""
        if missing := [name for name in names if not getattr(self, name)]:
            raise InvalidSettings("needed when deployed: " + ", ".join(f"STAR_{name.upper()}" for name in missing))


def _parsed(name: str, hint: Any, raw: str) -> Any:
    """Turn the text of one variable into its type."""
    if hint is Secret:
        return Secret(raw)
    try:
        return msgspec.convert(raw, hint, strict=False) if hint is not Path else Path(raw)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"STAR_{name.upper()}: {error}") from error


def env_example() -> str:
    """The text of ``country.env.example``: every setting with its meaning and default, by group."""
    defaults = Settings()
    hints = get_type_hints(Settings, include_extras=True)
    lines = ["# Every setting of STAR with its default. Copy to country.env and change what your country needs."]
    group = ""
    for name, hint in hints.items():
        doc: Doc = hint.__metadata__[0]
        if doc.group != group:
            group = doc.group
            lines += ["", f"# {group}"]
        lines += [f"# {doc.text}", f"STAR_{name.upper()}={getattr(defaults, name)}"]
    return "\n".join(lines) + "\n"

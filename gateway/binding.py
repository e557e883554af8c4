"""Sender-constrained tokens: a token bound to a key (DPoP) or a certificate (mTLS) counts only with that one."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from contracts.identity import Role
from gateway.dpop import Asking, Nonces, NotProven, Proofs, values
from services.runtime.identity import NotAuthenticated
from services.runtime.settings import BoundTokens, Settings

_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_CERTIFICATE: Final = re.compile(r":([A-Za-z0-9+/]+={0,2}):", re.ASCII)
_MOST_CERTIFICATE_CHARACTERS: Final = 16_384
_FOR_BUYERS: Final = frozenset({Role.BUYER, Role.BUYER_PROVISIONER})


class Binding(msgspec.Struct, frozen=True):
    """What a token is bound to: the thumbprint of a key, of a certificate, both, or (empty) nothing."""

    key: str = ""
    certificate: str = ""

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> "Binding":
        """What the claim ``cnf`` says; raises ``ValueError`` for a binding that cannot be checked here."""
        if "cnf" not in claims:
            return UNBOUND
        confirmation = claims["cnf"]
        names = {"jkt": "key", "x5t#S256": "certificate"}
        if not isinstance(confirmation, dict) or not confirmation or confirmation.keys() - names.keys():
            raise ValueError("cnf")
        if not all(isinstance(value, str) and _THUMBPRINT.fullmatch(value) for value in confirmation.values()):
            raise ValueError("cnf")
        return cls(**{names[name]: value for name, value in confirmation.items()})


UNBOUND: Final = Binding()


class Bindings:
    """Checks at every request that a bound token comes from whom it was given to."""

    def __init__(self, proofs: Proofs, *, certificate_header: str = "", demand: BoundTokens = BoundTokens.OFF) -> None:
        """``certificate_header`` is believed: whoever ends TLS must set it, and drop it when a caller sends it."""
        self._proofs = proofs
        self._certificate_header = certificate_header.lower().encode()
        self._demand = demand

    @classmethod
    def of(cls, settings: Settings) -> "Bindings":
        """The bindings that a deployment believes and demands."""
        nonces = Nonces(settings.signing_key, settings.dpop_nonce_s) if settings.dpop_nonce_s > 0 else None
        public_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        return cls(
            Proofs(public_url, nonces=nonces),
            certificate_header=settings.client_cert_header,
            demand=settings.bound_tokens,
        )

    def check(
        self,
        binding: Binding,
        token: str,
        asking: Asking | None,
        *,
        is_dpop: bool,
        roles: frozenset[Role],
        counted: Callable[[], None],
    ) -> None:
        """Return when the token may be used in this way; raises ``NotAuthenticated`` and ``TooManyProofs``.

        ``counted`` is called once for whoever may use it, before anything of the request is remembered, and may refuse.
        """
        if binding is UNBOUND:
            if is_dpop:
                raise NotProven("The token is bound to no key: send it as Bearer.", error="invalid_token")
            if self._demand is BoundTokens.BUYERS and roles & _FOR_BUYERS:
                raise NotProven("A buyer's token must be bound to a key or a certificate.", error="invalid_token")
            counted()
            return
        if is_dpop != bool(binding.key):
            raise NotProven("The token is bound to a key: send it as DPoP, and no other.", error="invalid_token")
        if asking is None:
            raise NotAuthenticated("The token cannot be believed.")
        if binding.certificate:
            self._check_certificate(binding.certificate, asking)
        if binding.key:
            self._proofs.check(asking, token, binding.key, counted)
        else:
            counted()

    def _check_certificate(self, thumbprint: str, asking: Asking) -> None:
        shown = values(asking, self._certificate_header) if self._certificate_header else []
        found = _CERTIFICATE.fullmatch(shown[0]) if len(shown) == 1 else None
        if found is None or len(found.group(1)) > _MOST_CERTIFICATE_CHARACTERS:
            raise NotAuthenticated("The token is bound to a client certificate, and none was shown.")
        try:
            digest = hashlib.sha256(base64.b64decode(found.group(1), validate=True)).digest()
        except ValueError:
            raise NotAuthenticated("The client certificate cannot be read.") from None
        if not hmac.compare_digest(base64.urlsafe_b64encode(digest).decode().rstrip("="), thumbprint):
            raise NotAuthenticated("The token is bound to another client certificate.")

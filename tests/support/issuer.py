"""A small OIDC issuer on loopback for tests: discovery, keys, and tokens for the demo people."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.demo.people import PEOPLE

AUDIENCE = "star"


class Issuer:
    """Serves ``/.well-known/openid-configuration`` and ``/keys``; ``token`` signs what an OIDC provider would."""

    def __init__(self) -> None:
        self._people = {person.user: person for person in PEOPLE}
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.rotate()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def rotate(self) -> None:
        """Sign with a new key from now on; the older keys stay published."""
        self._current = f"key-{len(self._keys) + 1}"
        self._keys[self._current] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, user: str, **changes: Any) -> str:
        """An access token of a demo user, claims changed as asked."""
        person = self._people[user]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": user,
            "name": person.name,
            "iat": now,
            "exp": now + 3600,
            "star_roles": [role.value for role in person.roles],
            "star_party": person.party_id,
        }
        headers = {"kid": self._current}
        return jwt.encode({**claims, **changes}, self._keys[self._current], algorithm="RS256", headers=headers)

    async def sign_in(self, user: str) -> str:
        """A ``SignIn`` for the client."""
        return self.token(user)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _documents(self) -> dict[str, object]:
        public = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}
            for kid, key in self._keys.items()
        ]
        discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return {"/.well-known/openid-configuration": discovery, "/keys": {"keys": public}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        documents = self._documents

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = documents().get(self.path)
                self.send_response(200 if document else 404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
                """Keep test output quiet."""

        return Handler

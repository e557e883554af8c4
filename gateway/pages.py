"""The page at the door: what this is and where to go on. No script, no image, nothing from elsewhere."""

import base64
import hashlib
from html import escape
from typing import Final

from gateway.answers import Answer, guarded

_STYLE: Final = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color:#1c2733}"
    "a{color:#0b5cad}code{background:#eef2f6;padding:.1em .3em;border-radius:.2em;white-space:nowrap}"
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DEVELOPMENT: Final = """
<h2>Trying it out</h2>
<p>This is an embedded run. Ask for a token with
<code>POST /dev/token {{"user": "…"}}</code> for one of: {users}. Then send it as
<code>Authorization: Bearer …</code>.</p>"""


def door(country: str, users: tuple[str, ...] = ()) -> Answer:
    """The page; ``users`` are the invented people of an embedded run."""
    names = ", ".join(_shortened(users))
    body = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>STAR {escape(country)}</title><style>{_STYLE}</style></head>
<body>
<h1>STAR</h1>
<p>Assessments, improvement plans and training of garment factories, country programme
<strong>{escape(country)}</strong>. A factory's reports are shown to the buyers that it approved, to nobody else,
and no longer than it wants.</p>
<ul>
<li><a href="/api/v1/openapi.json">The API</a> (OpenAPI 3.1)</li>
<li><a href="/health/ready">Readiness</a> of this gateway and its services</li>
</ul>{_DEVELOPMENT.format(users=names) if users else ""}
</body>
</html>
"""
    headers = guarded(policy=_POLICY.encode(), caching=b"no-cache")
    return Answer(200, body.encode(), b"text/html; charset=utf-8", headers)


def _shortened(users: tuple[str, ...]) -> list[str]:
    """The names, of a numbered series only its first and last."""
    series: dict[str, list[str]] = {}
    for name in users:
        series.setdefault(name.rstrip("0123456789"), []).append(f"<code>{escape(name)}</code>")
    return [part for names in series.values() for part in ([f"{names[0]} to {names[-1]}"] if len(names) > 2 else names)]

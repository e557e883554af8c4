"""What the gateway adds to every operation of the public document: the headers it reads and writes, and tables."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.repetitions import KEY_PATTERN
from gateway.columns import beside_of, columns_of

Document = dict[str, Any]

_TEXT: Final = {"type": "string"}


def _reference(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}


PARAMETERS: Final[Mapping[str, Document]] = {
    "AtLeastEpoch": {
        "name": "At-Least-Epoch",
        "in": "header",
        "description": (
            "Wait until the gateway has heard of this epoch of the consent ledger; after at most two seconds the "
            "answer is 503 `epoch_not_reached`."
        ),
        "required": False,
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999},
    },
    "Format": {
        "name": "format",
        "in": "query",
        "description": "`csv` gives the items as a table, like `Accept: text/csv`; it goes on at `Link`.",
        "required": False,
        "schema": {"type": "string", "enum": ["json", "csv"]},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": (
            "A name of the caller's choice for this request, best a new UUID. For 24 hours the same key with the same "
            "request gives the first answer again, marked `Idempotency-Replayed`, and does nothing twice. With another "
            "request it is 422 `idempotency_key_reused`; while the first one runs, 409 `request_running`; and when "
            "nobody knows whether it was done and doing it again might do it twice, 409 `fate_unknown`."
        ),
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 257, "pattern": KEY_PATTERN},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The validators of copies that the caller holds: 304 when one of them is still good.",
        "required": False,
        "schema": _TEXT,
    },
}
HEADERS: Final[Mapping[str, Document]] = {
    "Deprecation": {"description": "The moment from which this is deprecated (RFC 9745)", "schema": _TEXT},
    "ETag": {"description": "The validator of exactly this answer, weak when it is compressed", "schema": _TEXT},
    "IdempotencyReplayed": {"description": "`true` when this is the first answer again", "schema": _TEXT},
    "Link": {"description": 'The next page as `rel="next"` (RFC 8288); none on the last one', "schema": _TEXT},
    "RateLimit": {"description": "What is left of the caller's quota (`r`), all of it back in `t` s", "schema": _TEXT},
    "RateLimitPolicy": {"description": "The caller's quota: `q` requests in `w` s", "schema": _TEXT},
    "RetryAfter": {"description": "When to come back, in seconds", "schema": {"type": "integer"}},
    "StarEpoch": {
        "description": "To buyers: how far the consent ledger was known when this was answered",
        "schema": {"type": "integer"},
    },
    "StarPage": {
        "description": (
            "Of a list as a table: what the JSON form tells beside `items` and `next_cursor`, as a JSON object in ASCII"
        ),
        "schema": _TEXT,
    },
    "Sunset": {"description": "The moment at which this goes (RFC 8594)", "schema": _TEXT},
}
_ALWAYS: Final = {
    "star-epoch": _reference("headers", "StarEpoch"),
    "RateLimit": _reference("headers", "RateLimit"),
    "RateLimit-Policy": _reference("headers", "RateLimitPolicy"),
}
_REFUSALS: Final[Mapping[str, str]] = {
    "400": "The request cannot be understood",
    "401": "No token, or one that cannot be believed",
    "403": "The caller's roles do not allow this",
    "404": "Absent, or not for the caller: the answer does not tell which",
    "409": "A rule of the programme refuses, or somebody else was faster; `code` names the rule",
    "413": "The body is too large",
    "422": "The `Idempotency-Key` belongs to another request",
    "429": "Asked too often; `Retry-After` says when to come back",
    "503": "A service, the issuer or the consent ledger cannot be asked just now; see `Retry-After`",
}
_ONLY_WITH_A_BODY: Final = "413"
_ONLY_OF_POST: Final = "422"
_TABLE: Final = {
    "schema": {
        **_TEXT,
        "description": (
            "RFC 4180. A column per property, nested ones with dots; lists and maps are JSON in their cell; null is "
            "empty; text that a spreadsheet would take for a formula begins with an apostrophe."
        ),
    }
}
_COPY_IS_GOOD: Final = {
    "description": "The copy that the caller holds is still good",
    "headers": {"ETag": _reference("headers", "ETag"), **_ALWAYS},
}


PORTFOLIO: Final[Document] = {
    "summary": "Download everything that is shared with the buyer",
    "description": (
        "What factories share with the buyer just now comes as one ZIP file: each report as JSON and PDF, each "
        "improvement plan and each progress report as JSON, `index.csv`, and last `manifest.json`, which names every "
        "file and whether it is here. What was withdrawn before its turn is left out. What is withdrawn while it is "
        "being sent breaks the download off: an archive without its end is not whole. Every document in it is put on "
        "record as a read, and what its lists name as listed."
    ),
    "operationId": "DownloadPortfolio",
    "parameters": [
        {
            "name": "cycle",
            "in": "query",
            "description": "Only documents of this cycle",
            "required": False,
            "schema": {"type": "integer", "minimum": 0, "maximum": 10_000},
        }
    ],
    "responses": {
        "200": {
            "description": "The archive",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}
"""The portfolio as the gateway describes it."""


def with_habits(document: Document) -> Document:
    """The document with what the gateway adds to each operation that a service answers."""
    paths = {
        path: {method: _habitual(document, method, operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    shared = {"headers": dict(HEADERS), "parameters": dict(PARAMETERS), "responses": _shared_responses()}
    components = {**document["components"], **shared}
    return {**document, "paths": paths, "components": components}


def _habitual(document: Document, method: str, operation: Document) -> Document:
    if operation.get("security") == []:
        return operation
    is_list = method == "get" and columns_of(document, operation) is not None
    of_list = ("Link", *(("Star-Page",) if beside_of(document, operation) else ())) if is_list else ()
    has_tag = method == "get" and operation["tags"] != ["gateway"]
    names = ["AtLeastEpoch"]
    if has_tag:
        names += ["IfNoneMatch", *(["Format"] if is_list else [])]
    if method == "post":
        names.append("IdempotencyKey")
    parameters = [*operation.get("parameters", ()), *(_reference("parameters", name) for name in names)]
    responses = {
        status: _answered(answer, method, status, has_tag=has_tag, of_list=of_list)
        for status, answer in operation["responses"].items()
    }
    if operation.get("deprecated"):
        retiring = {name: _reference("headers", name) for name in ("Deprecation", "Sunset")}
        responses = {s: {**answer, "headers": {**answer["headers"], **retiring}} for s, answer in responses.items()}
    responses |= {status: _reference("responses", f"Refused{status}") for status in _REFUSALS}
    if "requestBody" not in operation:
        del responses[_ONLY_WITH_A_BODY]
    if method != "post":
        del responses[_ONLY_OF_POST]
    if has_tag:
        responses["304"] = _reference("responses", "CopyIsGood")
    return {**operation, "parameters": parameters, "responses": dict(sorted(responses.items()))}


def _answered(answer: Document, method: str, status: str, *, has_tag: bool, of_list: Sequence[str]) -> Document:
    """One way to answer, with the headers and forms that it may have; ``of_list`` are the headers of a list."""
    headers = {**answer.get("headers", {}), **_ALWAYS}
    if method == "post":
        headers["Idempotency-Replayed"] = _reference("headers", "IdempotencyReplayed")
    content = answer.get("content")
    if has_tag and status == "200":
        headers["ETag"] = _reference("headers", "ETag")
        if of_list:
            headers |= {name: _reference("headers", name.replace("-", "")) for name in of_list}
            content = {**(content or {}), "text/csv": _TABLE}
    return {**answer, "headers": headers, **({"content": content} if content else {})}


def _shared_responses() -> Document:
    """The answers that many operations can give."""
    problem = {"application/problem+json": {"schema": _reference("schemas", "Problem")}}
    later = {"Retry-After": _reference("headers", "RetryAfter")}
    refusals = {
        f"Refused{status}": {
            "description": text,
            "headers": {**_ALWAYS, **(later if status in {"409", "429", "503"} else {})},
            "content": problem,
        }
        for status, text in _REFUSALS.items()
    }
    return {"CopyIsGood": _COPY_IS_GOOD, **refusals}

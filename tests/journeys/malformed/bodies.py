"""Bodies, queries, cursors and ids that are not what the description says."""

import base64
import json
from typing import Any, Final

import msgspec

from tests.journeys.country import new_id
from tests.journeys.malformed.attack import PREFIX, Attack, Ground, Request
from tests.journeys.routes import CALLS, DOCUMENT, Operation

WITH_BODY: Final = tuple(operation for operation, call in CALLS.items() if call.body is not None)
SENDING: Final = tuple(operation for operation in CALLS if operation[0] in {"POST", "PUT", "PATCH"})
LISTS: Final = tuple(
    operation
    for operation in CALLS
    if any(
        each.get("name") == "cursor"
        for each in DOCUMENT["paths"][PREFIX + operation[1]][operation[0].lower()].get("parameters", ())
    )
)
SINGLE: Final = tuple(operation for operation in CALLS if "{" in operation[1])
MIB: Final = 1024 * 1024

BROKEN_JSON: Final = (
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5_000 + b"}",
    b'{"a": -0.' + b"0" * 5_000 + b"1}",
    b'{"id": "\\ud800"}',
    b'{"name": "\\udfff\\ud800"}',
    b'{"name": "\xff\xfe"}',
    b'\xef\xbb\xbf{"name": "bom"}',
    '{"name": "wide"}'.encode("utf-16"),
    '{"name": "wider"}'.encode("utf-32"),
    b'{"name": "a", "name": "b"}',
    b'{"name": "\x00"}',
    b'{"name": "\\u0000\\u202e\\u200b"}',
    b'{"__proto__": {"admin": true}, "constructor": 1}',
    b'{"name": {"$gt": ""}, "id": {"$ne": null}}',
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"{" + b",".join(b'"k%d": 1' % number for number in range(20_000)) + b"}",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
    b"a=1&b=2",
)
JUNK: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    2**63,
    2**70,
    -(2**70),
    1.5,
    1e308,
    "",
    " ",
    "x" * 3_000,
    "\u0000",
    "\u202etxt.exe",
    "é" * 700,
    "💥" * 300,
    "2026-02-30",
    "0000-00-00",
    "9999-12-31T23:59:59.999999999Z",
    "-infinity",
    "' OR 1=1 --",
    "{{7*7}}${7*7}",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    [],
    [[]],
    [None] * 300,
    {},
    {"$where": "sleep(1000)"},
    {"a": {"b": {"c": {}}}},
)
JUNK_IDS: Final = (
    ".",
    "..",
    "%2e%2e",
    "..%2f..%2finternal%2fconsent",
    "%00",
    "%0d%0aset-cookie:%20a=b",
    "%c0%ae%c0%ae",
    "%ff",
    "%",
    "%zz",
    "x" * 65,
    "x" * 4_000,
    "{report_id}",
    "%7B%22$gt%22:%22%22%7D",
    "id;v=1",
    "id%3fadmin=1",
    "*",
    "null",
    "-1",
    "0",
)
QUERIES: Final = (
    "limit=-1",
    "limit=0",
    "limit=201",
    "limit=99999999999999999999",
    "limit=NaN",
    "limit=%D9%A1%D9%A2",
    "limit=1e2",
    "limit=1&limit=2",
    "limit=",
    "limit[]=1",
    "limit[$gt]=0",
    "cycle=-1",
    "cycle=10001",
    "cycle=x",
    "factory_id=%00",
    "factory_id[$ne]=x",
    "factory_id=" + "x" * 3_000,
    "cursor=%ff%fe",
    "cursor=%zz",
    "%",
    "&&&&=&=&",
    "a=" * 2_000,
    "x" * 9_000,
    "lang=../../etc/passwd",
    "lang=%0d%0a",
    "format=csv%00",
    "first_line=-5",
    "id=..%2f",
)


def broken_json(ground: Ground) -> Attack:
    """A body that is no JSON, or no JSON of this kind."""
    caller, operation = ground.caller(), ground.operation(WITH_BODY)
    request = ground.request(operation, caller)
    request.body = ground.chance.choice(BROKEN_JSON)
    _perhaps_with_a_key(ground, request)
    return Attack("broken json", caller, request.on_the_wire())


def truncated_json(ground: Ground) -> Attack:
    """A sound body of which an end, or some bytes, are missing or wrong."""
    caller, operation = ground.caller(), ground.operation(WITH_BODY)
    request = ground.request(operation, caller)
    body = bytearray(request.body[: ground.chance.randint(0, len(request.body))])
    for _ in range(ground.chance.randint(0, 4)):
        if body:
            body[ground.chance.randrange(len(body))] = ground.chance.randrange(256)
    request.body = bytes(body)
    _perhaps_with_a_key(ground, request)
    return Attack("bent json", caller, request.on_the_wire())


def _perhaps_with_a_key(ground: Ground, request: Request, probability: float = 0.3) -> None:
    if ground.chance.random() < probability:
        request.headers.append((b"idempotency-key", new_id().encode()))


def wrong_field(ground: Ground) -> Attack:
    """A sound body in which one field holds what its schema does not allow."""
    caller, operation = ground.caller(), ground.operation(WITH_BODY)
    request = ground.request(operation, caller)
    body = {**msgspec.json.decode(request.body), **dict.fromkeys(_some_fields(ground, operation))}
    body[ground.chance.choice(list(body))] = ground.chance.choice(JUNK)
    for name in [name for name, value in body.items() if value is None and ground.chance.random() < 0.7]:
        del body[name]
    request.body = json.dumps(body).encode()
    return Attack("wrong field", caller, request.on_the_wire())


def _some_fields(ground: Ground, operation: Operation) -> list[str]:
    """Names of fields of the body of a route, required or not."""
    described = DOCUMENT["paths"][PREFIX + operation[1]][operation[0].lower()]["requestBody"]["content"]
    schema = next(iter(described.values())).get("schema", {})
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    names = list(DOCUMENT["components"]["schemas"].get(reference, schema).get("properties", {}))
    return ground.chance.sample(names, min(2, len(names)))


def wrong_kind_of_body(ground: Ground) -> Attack:
    """A body of another media type, another compression, or of bytes that mean nothing."""
    caller, operation = ground.caller(), ground.operation(SENDING)
    request = ground.request(operation, caller)
    kinds = (b"text/plain", b"application/xml", b"multipart/form-data; boundary=x", b"application/json; charset=utf-7")
    request.headers = [pair for pair in request.headers if pair[0] != b"content-type"]
    request.headers.append((b"content-type", ground.chance.choice((*kinds, b"", b"\xff/\xfe", b"image/png"))))
    if ground.chance.random() < 0.3:
        request.headers.append((b"content-encoding", ground.chance.choice((b"gzip", b"br", b"deflate, gzip"))))
    request.body = ground.chance.choice(
        (b"", ground.chance.randbytes(2_000), b"PK\x03\x04" + ground.chance.randbytes(500))
    )
    return Attack("wrong kind of body", caller, request.on_the_wire())


def oversized_body(ground: Ground) -> Attack:
    """Megabytes, and now and then more than any route takes."""
    caller, operation = ground.caller(), ground.operation(SENDING)
    request = ground.request(operation, caller)
    size = 33 * MIB if ground.chance.random() < 0.05 else ground.chance.choice((3 * MIB, 10 * MIB))
    request.body = b'{"name": "' + b"x" * size + b'"}'
    return Attack("oversized body", caller, request.on_the_wire())


def wrong_query(ground: Ground) -> Attack:
    """A query that is too long, of the wrong type, or twice there."""
    caller, operation = ground.caller(), ground.operation()
    request = ground.request(operation, caller)
    request.query = "&".join(ground.chance.sample(QUERIES, ground.chance.randint(1, 2)))
    return Attack("wrong query", caller, request.on_the_wire())


def forged_cursor(ground: Ground) -> Attack:
    """A cursor that no list gave, or that another list might have given."""
    caller, operation = ground.caller(), ground.operation(LISTS)
    request = ground.request(operation, caller)
    values: tuple[Any, ...] = (
        [],
        {},
        [1],
        ["x"],
        {"$gt": ""},
        [new_id(), 7],
        ["2026-01-01", new_id()],
        [None],
        "x" * 500,
    )
    inner = json.dumps(ground.chance.choice(values)).encode()
    encoded = ground.chance.choice(
        (base64.urlsafe_b64encode(inner).decode().rstrip("="), inner.hex(), new_id(), "x" * 2_000)
    )
    request.query = f"cursor={encoded}"
    return Attack("forged cursor", caller, request.on_the_wire())


def wrong_id(ground: Ground) -> Attack:
    """A path with something that is no id, or an id of another kind of thing."""
    caller, operation = ground.caller(), ground.operation(SINGLE)
    things = list(ground.stage.ids.values())
    choose = ground.chance.choice
    ids = {name: choose(JUNK_IDS) if ground.chance.random() < 0.6 else choose(things) for name in ground.stage.ids}
    return Attack("wrong id", caller, ground.request(operation, caller, ids).on_the_wire())


def another_s_thing(ground: Ground) -> Attack:
    """A sound request for something that is not the caller's."""
    caller, operation = ground.chance.choice(("other_factory", "other_buyer", "analyst", "nobody")), ground.operation()
    is_foreign = caller.startswith("other") and "{" in operation[1] and not CALLS[operation].everybody
    return Attack("another's thing", caller, ground.request(operation, caller).on_the_wire(), is_foreign=is_foreign)


def replayed(ground: Ground) -> Attack:
    """A sound request that arrives several times, the last time perhaps with another body under the same key."""
    caller, operation = ground.caller(), ground.operation(SENDING)
    request = ground.request(operation, caller)
    _perhaps_with_a_key(ground, request, 0.6)
    again = [request.on_the_wire(is_last=False) for _ in range(ground.chance.randint(1, 4))]
    if CALLS[operation].body is not None and ground.chance.random() < 0.4:
        request.body = request.body.replace(b"e", b"a")
    return Attack("replayed", caller, b"".join([*again, request.on_the_wire()]))

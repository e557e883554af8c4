"""Requests whose very framing is wrong, or that try to say to one reader something else than to the next."""

from typing import Final

from tests.journeys.malformed.attack import Attack, Ground, Request

HIDDEN: Final = b"GET /internal/consent?gateway=x HTTP/1.1\r\nhost: star\r\n\r\n"
SHORT_S: Final = 1.0
"""For how long to wait where the server may rightly wait for more."""

METHODS: Final = ("get", "GE T", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "QUERY", "G" * 300, "GET\x00", "", "PRI")
TARGETS: Final = (
    "http://elsewhere.example/api/v1/reports",
    "http://star/internal/consent",
    "https://star:443/api/v1/factories",
    "*",
    "star:80",
    "//internal/consent",
    "/api/v1/../../internal/consent",
    "/api/v1/%2e%2e/%2e%2e/internal/consent",
    "/api/v1/reports\\..\\..",
    "/api/v1/reports#fragment",
    "/api/v1/reports%00",
    "/api/v1/reports%",
    "/api/v1/reports%zz",
    "/api/v1/%ff%fe",
    "/api/v1/report\u00e9",
    "/\x7f\x01",
    "/" + "a/" * 3_000,
    "/api/v1/reports?" + "%00" * 100,
    "?",
    "x",
)
VERSIONS: Final = (
    b"HTTP/0.9",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"HTTP/3.0",
    b"HTTP/9.9",
    b"http/1.1",
    b"HTCPCP/1.0",
    b"",
)
LENGTHS: Final = (
    b"-1",
    b"+5",
    b"0x10",
    b"5, 5",
    b"5, 6",
    b"1e3",
    b"99999999999999999999999",
    b"",
    b" ",
    b"5\x00",
    b"\xd9\xa5",
)
CODINGS: Final = (
    b"chunked, identity",
    b"identity",
    b"xchunked",
    b"chunked, chunked",
    b"gzip, chunked",
    b"\x0bchunked",
    b"CHUNKED ",
)
CHUNKS: Final = (
    b"zz\r\nabc\r\n0\r\n\r\n",
    b"-1\r\nabc\r\n0\r\n\r\n",
    b"5\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabcdef\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nabc",
    b"3;ext=" + b"x" * 70_000 + b"\r\nabc\r\n0\r\n\r\n",
    b"3\nabc\n0\n\n",
    b"0\r\nx-trailer: 1\r\nauthorization: Bearer x\r\n\r\n",
    b"3 \r\nabc\r\n0\r\n\r\n",
    b"\r\n\r\n",
)
NAMES: Final = (b"x y", b"x:", b"", b"\xff", b"x\x00", b"(x)", b" authorization", b"x" * 5_000)
VALUES: Final = (
    b"a\rb",
    b"a\nset-cookie: a=b",
    b"a\r\n\r\nGET / HTTP/1.1\r\n",
    b"\x00",
    b"\x01\x02",
    b"a\r\n folded",
    b"\xff" * 50,
)


def wrong_line(ground: Ground) -> Attack:
    """A request line with a wrong method, target or version."""
    caller = ground.caller()
    request = _sound(ground, caller)
    which = ground.chance.randrange(3)
    method = ground.chance.choice(METHODS) if which == 0 else request.method
    target = ground.chance.choice(TARGETS) if which == 1 else request.path
    version = ground.chance.choice(VERSIONS) if which == 2 else b"HTTP/1.1"
    line = f"{method} {target} ".encode() + version
    _, _, rest = request.on_the_wire().partition(b"\r\n")
    return Attack("wrong line", caller, line + b"\r\n" + rest, is_framed=False, patience_s=SHORT_S)


def wrong_header(ground: Ground) -> Attack:
    """A header that is none, or that tries to be two."""
    caller = ground.caller()
    request = _sound(ground, caller)
    choose = ground.chance.choice
    name, value = (choose(NAMES), b"1") if ground.chance.random() < 0.5 else (b"x-note", choose(VALUES))
    request.headers.insert(0, (name, value))
    return Attack("wrong header", caller, request.on_the_wire(), is_framed=False, patience_s=SHORT_S)


def huge_headers(ground: Ground) -> Attack:
    """Too many headers, too long ones, too many cookies."""
    caller = ground.caller()
    request = _sound(ground, caller)
    number, size = ground.chance.choice(((1, 200_000), (2_000, 50), (300, 2_000), (1, 70_000), (20, 8_000)))
    request.headers += [(b"x-%d" % each, b"y" * size) for each in range(number)]
    return Attack("huge headers", caller, request.on_the_wire(), is_framed=False, patience_s=SHORT_S)


def wrong_length(ground: Ground) -> Attack:
    """A body that is longer or shorter than was said, or whose length was said twice or in no number."""
    caller = ground.caller()
    request = _sending(ground, caller)
    request.has_length = False
    body = request.body or b"{}"
    lengths = [ground.chance.choice(LENGTHS)]
    if ground.chance.random() < 0.5:
        lengths = [str(len(body)).encode(), str(len(body) + ground.chance.choice((-1, 1, 40))).encode()]
    elif ground.chance.random() < 0.3:
        lengths = [str(max(0, len(body) - 3)).encode()]
    request.headers += [(b"content-length", length) for length in lengths]
    request.body = body + ground.chance.choice((b"", HIDDEN))
    return Attack("wrong length", caller, request.on_the_wire(), is_framed=False, patience_s=SHORT_S)


def two_framings(ground: Ground) -> Attack:
    """A length and chunks at once, with a second request hidden behind."""
    caller = ground.caller()
    request = _sending(ground, caller)
    request.has_length = False
    coding = ground.chance.choice((b"chunked", *CODINGS))
    both = [(b"content-length", str(ground.chance.choice((0, 4, 6, 500))).encode()), (b"transfer-encoding", coding)]
    ground.chance.shuffle(both)
    request.headers += both
    request.body = b"0\r\n\r\n" + HIDDEN
    return Attack("two framings", caller, request.on_the_wire(), is_framed=False, patience_s=SHORT_S)


def wrong_chunks(ground: Ground) -> Attack:
    """Chunks whose sizes lie."""
    caller = ground.caller()
    request = _sending(ground, caller)
    request.has_length = False
    request.headers.append((b"transfer-encoding", b"chunked"))
    request.body = ground.chance.choice(CHUNKS) + ground.chance.choice((b"", HIDDEN))
    return Attack("wrong chunks", caller, request.on_the_wire(), is_framed=False, patience_s=SHORT_S)


def broken_off(ground: Ground) -> Attack:
    """A request of which the end never comes."""
    caller = ground.caller()
    content = _sending(ground, caller).on_the_wire()
    cut = content[: ground.chance.randrange(1, len(content))]
    return Attack("broken off", caller, cut, is_framed=False, patience_s=0.1)


def noise(ground: Ground) -> Attack:
    """What is no HTTP at all."""
    start = ground.chance.choice(
        (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n" * 50)
    )
    content = start + ground.chance.randbytes(ground.chance.randint(1, 3_000))
    return Attack("noise", "nobody", content, is_framed=False, patience_s=0.3)


def _sound(ground: Ground, caller: str) -> Request:
    return ground.request(ground.operation(), caller)


def _sending(ground: Ground, caller: str) -> Request:
    request = _sound(ground, caller)
    if request.method not in {"POST", "PUT", "PATCH"}:
        request.method = "POST"
    return request

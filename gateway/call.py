"""One request of a caller on its way through the gateway, and the headers that every answer to it carries."""

from litestar.types import HTTPScope

from gateway.body import Body

READS = frozenset({"GET", "HEAD"})


class Call:
    """What was asked, by which address, and in ``added`` what the answer says besides, also when it is a refusal.

    ``is_answered`` turns true when the answer begins.

    ``headers`` are as they came, ``asked`` the last value of each by its lower case name. ``query`` is raw.
    """

    def __init__(self, scope: HTTPScope, body: Body) -> None:
        self.scope = scope
        self.body = body
        self.method = scope["method"]
        self.path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        self.query = scope["query_string"].decode("latin-1")
        self.headers = tuple(scope["headers"])
        self.asked = {name.lower(): value.decode("latin-1") for name, value in self.headers}
        self.added: list[tuple[bytes, bytes]] = []
        self.is_answered = False

    @property
    def address(self) -> str:
        """Where the request came from, empty when the server does not know."""
        client = self.scope.get("client")
        return client[0] if client else ""

    @property
    def is_read(self) -> bool:
        """Whether this only reads."""
        return self.method in READS

    def parameters(self, *without: str) -> list[str]:
        """The parts of the query as they came, except those of these names."""
        return [part for part in self.query.split("&") if part and part.partition("=")[0] not in without]

"""How a service tells the gateway which one document an answer is about: headers that no caller ever sees."""

from collections.abc import Iterable
from typing import Final

from contracts.vocabulary import ReportKind

FACTORY: Final = "star-factory"
KIND: Final = "star-kind"
CYCLE: Final = "star-cycle"
DOCUMENT: Final = "star-document"


def about(factory_id: str, kinds: Iterable[ReportKind], cycle: int, document_id: str) -> dict[str, str]:
    """The headers of an answer about one document, with every kind of content that is in it."""
    return {FACTORY: factory_id, KIND: ",".join(kinds), CYCLE: str(cycle), DOCUMENT: document_id}

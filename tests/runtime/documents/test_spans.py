"""What a trace tells about the documents: which operation on which collection, and never whose."""

from collections.abc import Iterator, Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.runtime.documents import Collection, Documents, DuplicateKey, Index
from tests.support.tracing import kept_spans

CANARY = "canary-7f3a"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = kept_spans()
    yield exporter
    exporter.shutdown()


def spans(exporter: InMemorySpanExporter) -> Sequence[ReadableSpan]:
    finished = exporter.get_finished_spans()
    return [
        span for span in finished if span.instrumentation_scope and span.instrumentation_scope.name == "star.documents"
    ]


async def every_operation(things: Collection) -> None:
    document = {"_id": CANARY, "version": 1, "name": CANARY, "pending": [{"id": CANARY}]}
    await things.insert(document)
    with pytest.raises(DuplicateKey):
        await things.insert(document)
    await things.get(CANARY)
    await things.replace(document, if_version=1)
    await things.find({"name": CANARY})
    await things.count({"name": CANARY})
    await things.discard_pending(CANARY, [CANARY])
    await things.delete(CANARY)


async def test_each_operation_opens_one_client_span(documents: Documents, exported: InMemorySpanExporter) -> None:
    things = documents.collection("things", [Index(("name",), unique=True)])
    await documents.start()
    await every_operation(things)
    operations = ["insert", "insert", "get", "replace", "find", "count", "discard_pending", "delete"]
    assert [span.name for span in spans(exported)] == [f"things.{operation}" for operation in operations]
    assert {span.kind for span in spans(exported)} == {trace.SpanKind.CLIENT}
    for span, operation in zip(spans(exported), operations, strict=True):
        attributes = dict(span.attributes or {})
        assert attributes.pop("db.system.name") in {"sqlite", "mongodb"}
        attributes.pop("error.type", None)
        assert attributes == {"db.collection.name": "things", "db.operation.name": operation}


async def test_a_failed_operation_says_so(documents: Documents, exported: InMemorySpanExporter) -> None:
    things = documents.collection("things")
    await documents.start()
    await every_operation(things)
    failed = [span for span in spans(exported) if span.status.status_code is trace.StatusCode.ERROR]
    assert [(span.attributes or {})["error.type"] for span in failed] == ["DuplicateKey"]


async def test_no_id_or_value_reaches_a_span(documents: Documents, exported: InMemorySpanExporter) -> None:
    things = documents.collection("things", [Index(("name",), unique=True)])
    await documents.start()
    await every_operation(things)
    assert all(CANARY not in span.to_json() for span in spans(exported))
    assert not any(span.events for span in spans(exported))  # an exception would bring its message


async def test_scans_and_pings_leave_no_span(documents: Documents, exported: InMemorySpanExporter) -> None:
    things = documents.collection("things")
    await documents.start()
    await things.holding_pending(limit=5)
    await documents.ping()
    assert spans(exported) == []

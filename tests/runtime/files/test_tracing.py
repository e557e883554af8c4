"""What an operation on files leaves in the traces, and what it must not."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from services.runtime.files import FileMissing
from tests.runtime.files.stores import DirectoryStore, Store, broken_off, keys, put, read
from tests.support.tracing import kept_spans

CANARY = "canary-4711"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return kept_spans()


def finished(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name.startswith("files.")]


async def test_every_operation_is_one_client_span_that_names_the_store(
    store: Store, spans: InMemorySpanExporter
) -> None:
    system = "directory" if isinstance(store, DirectoryStore) else "s3"
    await put(store.files, CANARY, b"content")
    await store.files.stat(CANARY)
    await read(store.files, CANARY)
    await keys(store.files, CANARY)
    await store.files.delete(CANARY)
    await store.files.ping()
    names = [span.name for span in finished(spans)]
    assert names == ["files.put", "files.stat", "files.stream", "files.list", "files.delete"]
    for span in finished(spans):
        assert span.kind is SpanKind.CLIENT
        assert dict(span.attributes or {}) == {"star.files.system": system}


async def test_a_failed_operation_leaves_the_type_of_its_exception_and_no_key(
    store: Store, spans: InMemorySpanExporter
) -> None:
    with pytest.raises(FileMissing):
        await store.files.stat(CANARY)
    with pytest.raises(ConnectionError):
        await store.files.put(CANARY, broken_off(CANARY.encode()), content_type="text/plain", max_bytes=100)
    missing, broken = finished(spans)
    assert (missing.attributes or {})["error.type"] == "FileMissing"
    assert (broken.attributes or {})["error.type"] == "ConnectionError"
    assert missing.status.status_code is broken.status.status_code is StatusCode.ERROR
    assert CANARY not in missing.to_json() + broken.to_json()


async def test_a_reader_that_stops_early_is_no_error(store: Store, spans: InMemorySpanExporter) -> None:
    await put(store.files, "a", b"x" * 1_000_000)
    reading = store.files.stream("a")
    await anext(reading)
    await reading.aclose()
    streamed = finished(spans)[-1]
    assert streamed.name == "files.stream"
    assert streamed.status.status_code is StatusCode.UNSET

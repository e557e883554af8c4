"""OpenTelemetry traces and metrics, and JSON logs with the trace id; no ids in names, no bodies, no tokens."""

import logging
import sys
from collections.abc import Mapping

from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from pythonjsonlogger.json import JsonFormatter

from services.runtime.settings import Settings


class TraceIds(logging.Filter):
    """Adds the current trace id and the service to each log record."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        """Decorate the record; never drops one."""
        record.service = self._service
        record.trace_id = current_trace_id()
        return True


def current_trace_id() -> str:
    """The trace id of the current span as 32 hex digits, empty outside a trace."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def traceparent() -> str:
    """The W3C ``traceparent`` of the current span, empty outside a trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


def context_of(traceparent_value: str | None) -> Context:
    """The context that a received ``traceparent`` continues; a fresh one when it is empty or malformed."""
    carrier: Mapping[str, str] = {"traceparent": traceparent_value} if traceparent_value else {}
    return propagate.extract(carrier, context=Context())


def set_up_logs(service: str, level: str) -> None:
    """Write JSON lines to stderr; libraries that log addresses with ids at INFO are quieted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(TraceIds(service))
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level"}))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("aiormq", "aio_pika", "httpx", "uvicorn.access", "pymongo"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of every retry with the whole address, a file's key included: thousands of lines in an outage.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the HTTP server tells of a fault: an answer that was broken off says so itself, on purpose."""
    return not str(record.msg).startswith("ASGI callable returned without completing response")


def set_up_traces(service: str, settings: Settings, extra: SpanProcessor | None = None) -> None:
    """Install the tracer and meter of this process; ``extra`` receives spans as well (tests, the demo)."""
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    resource = Resource.create({"service.name": f"star.{service}", "star.country": settings.country})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.trace_ratio)))
    if extra is not None:
        provider.add_span_processor(extra)
    if settings.otlp_url:
        _export_to(settings.otlp_url, provider, resource)
    trace.set_tracer_provider(provider)


def _export_to(url: str, provider: TracerProvider, resource: Resource) -> None:
    """Send traces and metrics to an OTLP/HTTP collector; imported late, an embedded run needs none of it."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter: SpanExporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{url}/v1/metrics"))
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))


def flush_traces() -> None:
    """Send what is still buffered; call last at shutdown."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()
    meters = metrics.get_meter_provider()
    if hasattr(meters, "shutdown"):
        meters.shutdown()

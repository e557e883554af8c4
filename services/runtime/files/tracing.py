"""One client span per operation on files; it never carries a key, nor a message that might quote one."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

_tracer = trace.get_tracer("star.files")


@contextmanager
def operation(name: str, *, system: str) -> Iterator[None]:
    """Time an operation as the span ``files.<name>``; an exception leaves only its type.

    The span is not made current: a generator that its consumer leaves ends in another context than it began in.
    """
    span = _tracer.start_span(f"files.{name}", kind=SpanKind.CLIENT, attributes={"star.files.system": system})
    try:
        yield
    except GeneratorExit:  # the consumer has read enough
        raise
    except BaseException as error:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(StatusCode.ERROR)
        raise
    finally:
        span.end()

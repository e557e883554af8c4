"""What a process writes to its log."""

import logging
from collections.abc import Iterator

import pytest

from services.runtime.telemetry import set_up_logs


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, server = logging.getLogger(), logging.getLogger("uvicorn.error")
    handlers, level, filters = root.handlers[:], root.level, server.filters[:]
    yield
    root.handlers[:], server.filters[:] = handlers, filters
    root.setLevel(level)


def test_an_answer_that_was_broken_off_on_purpose_is_no_error_of_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("gateway", "INFO")
    log = logging.getLogger("uvicorn.error")
    log.error("ASGI callable returned without completing response.")
    log.error("Exception in ASGI application")
    lines = capsys.readouterr().err
    assert "without completing" not in lines
    assert "Exception in ASGI application" in lines

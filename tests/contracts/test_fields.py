"""No body has a field that is named like a dependency of the service: what is wrong with it would be taken for a bug.

Litestar answers 500 when a value is wrong whose name is that of a dependency, whoever sent it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import MAKERS, ports_of, queue_of, with_keys
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.service import retry_policy
from services.runtime.settings import Settings


def fields(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each route that takes JSON, with each field at the top of its body."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            described = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            reference = str(described.get("schema", {}).get("$ref", "")).rpartition("/")[2]
            for name in document.get("components", {}).get("schemas", {}).get(reference, {}).get("properties", {}):
                yield f"{method} {path}", name


@pytest.mark.parametrize("service", MAKERS)
def test_no_field_of_a_body_is_named_like_a_dependency(service: str, tmp_path: Path) -> None:
    settings = with_keys(Settings(data_folder=tmp_path))
    bus = InProcessBus(queue_of(tmp_path).collection("messages", INDEXES), retry_policy(settings))
    app = MAKERS[service](settings, ports_of(service, settings, bus)).app.litestar
    dependencies = {
        name
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        for name in handler.resolve_dependencies()
    }
    taken = [(route, name) for route, name in fields(app.openapi_schema.to_schema()) if name in dependencies]
    assert dependencies
    assert not taken, "rename the dependency, not the field"

"""The public document is the services' own documents, merged without a collision or a leak."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.openapi import merge
from gateway.routes import Routes


def document(path: str, schema: dict[str, Any], **paths: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}
    answers = {"200": {"description": "ok", "content": content}, "400": {"description": "Litestar's own"}}
    operation = {"operationId": "List", "summary": "List", "responses": answers}
    return {
        "openapi": "3.1.0",
        "paths": {path: {"get": operation}, "/internal/consent": {"get": operation}, **paths},
        "components": {"schemas": {"Page": schema, "Unused": {"type": "string"}}},
    }


NULL = {"type": "null"}
PAGE = {"type": "object", "properties": {"items": {"type": "array"}}}
ACCESS = document("/api/v1/factories", PAGE)
REPORTING = document("/api/v1/reports", {"type": "object"})


def test_every_service_s_public_paths_are_there_and_no_internal_one() -> None:
    merged = merge({"access": ACCESS, "reporting": REPORTING})
    own = {"/api/v1/openapi.json", "/api/v1/portfolio"}
    assert set(merged["paths"]) == {"/api/v1/factories", "/api/v1/reports"} | own


def test_a_name_that_means_two_things_becomes_two_names() -> None:
    merged = merge({"access": ACCESS, "reporting": REPORTING})
    assert set(merged["components"]["schemas"]) == {"AccessPage", "ReportingPage", "Problem"}
    answer = merged["paths"]["/api/v1/reports"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/ReportingPage"


def test_a_name_that_means_one_thing_stays() -> None:
    merged = merge({"access": ACCESS, "reporting": document("/api/v1/reports", PAGE)})
    assert set(merged["components"]["schemas"]) == {"Page", "Problem"}


def test_a_name_that_refers_to_two_things_becomes_two_names() -> None:
    access, reporting = (
        document("/api/v1/factories", {"$ref": "#/components/schemas/Item"}),
        document("/api/v1/reports", {"$ref": "#/components/schemas/Item"}),
    )
    access["components"]["schemas"]["Item"] = {"type": "string"}
    reporting["components"]["schemas"]["Item"] = {"type": "integer"}
    merged = merge({"access": access, "reporting": reporting})
    schemas = merged["components"]["schemas"]
    assert schemas["ReportingPage"] == {"$ref": "#/components/schemas/ReportingItem"}
    assert schemas["ReportingItem"] == {"type": "integer"}


def test_operation_ids_are_unique() -> None:
    merged = merge({"access": ACCESS, "reporting": REPORTING})
    ids = [operation["operationId"] for path in merged["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_every_operation_says_how_it_refuses() -> None:
    merged = merge({"access": ACCESS})
    operation = merged["paths"]["/api/v1/factories"]["get"]
    assert set(operation["responses"]) == {"200", "304", "400", "401", "403", "404", "409", "429", "503"}
    for status in ("400", "401", "503"):
        assert operation["responses"][status] == {"$ref": f"#/components/responses/Refused{status}"}
        assert "application/problem+json" in merged["components"]["responses"][f"Refused{status}"]["content"]


def test_every_operation_carries_its_service_and_needs_a_token() -> None:
    merged = merge({"access": ACCESS})
    assert merged["paths"]["/api/v1/factories"]["get"]["tags"] == ["access"]
    assert merged["security"] == [{"bearer": []}]
    assert merged["paths"]["/api/v1/openapi.json"]["get"]["security"] == []


def listing() -> dict[str, Any]:
    properties = {"items": {"type": "array", "items": {"type": "object"}}, "next_cursor": {"type": "string"}}
    return document("/api/v1/factories", {"type": "object", "properties": properties})


def test_a_list_is_described_as_a_table_too() -> None:
    operation = merge({"access": listing()})["paths"]["/api/v1/factories"]["get"]
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    assert "Link" in operation["responses"]["200"]["headers"]
    assert {"$ref": "#/components/parameters/Format"} in operation["parameters"]


def test_what_is_no_list_is_not_described_as_a_table() -> None:
    operation = merge({"reporting": REPORTING})["paths"]["/api/v1/reports"]["get"]
    assert set(operation["responses"]["200"]["content"]) == {"application/json"}
    assert {"$ref": "#/components/parameters/Format"} not in operation["parameters"]


def test_every_reference_leads_somewhere() -> None:
    merged = merge({"access": listing(), "reporting": REPORTING})

    def nodes(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield value
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from nodes(child)

    for reference in {node["$ref"] for node in nodes(merged) if isinstance(node.get("$ref"), str)}:
        _, _, kind, name = reference.split("/")
        assert name in merged["components"][kind]


def test_the_inputs_stay_as_they_were() -> None:
    before = repr(ACCESS)
    merge({"access": ACCESS, "reporting": REPORTING})
    assert repr(ACCESS) == before


def test_a_path_of_two_services_is_refused() -> None:
    with pytest.raises(ValueError, match="two services"):
        merge({"access": ACCESS, "reporting": ACCESS})


def test_the_merged_document_is_a_table_of_routes() -> None:
    routes = Routes(merge({"access": ACCESS, "reporting": REPORTING}))
    route = routes.find("/api/v1/reports")
    assert route is not None
    assert (route.service, route.methods) == ("reporting", frozenset({"GET", "HEAD"}))


def with_schemas(**schemas: Any) -> dict[str, Any]:
    """A document whose one answer refers to all of these schemas by the generator's names."""
    found = document("/api/v1/factories", {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in schemas]})
    found["components"]["schemas"] |= schemas
    return found


def test_a_generic_class_is_named_after_what_it_is_about_and_not_after_a_module() -> None:
    service = with_schemas(**{"Listing_services.assessment.api.views.Visit_": {"type": "object", "title": "Listing"}})
    schemas = merge({"assessment": service})["components"]["schemas"]
    assert schemas["VisitListing"]["title"] == "VisitListing"
    assert schemas["Page"]["oneOf"] == [{"$ref": "#/components/schemas/VisitListing"}]


def test_two_generic_classes_of_one_name_are_refused() -> None:
    schemas: dict[str, Any] = {f"Listing_services.assessment.{module}.Visit_": {} for module in ("api", "domain")}
    with pytest.raises(ValueError, match="one name"):
        merge({"assessment": with_schemas(**schemas)})


def test_what_the_generator_made_up_is_left_out() -> None:
    kind = {"type": "string", "enum": ["a", "b"], "default": "b", "examples": ["qXwZ"]}
    items = {"type": "array", "items": {"oneOf": [{"type": "string"}, {}]}}
    named = {"type": "object", "properties": {"examples": {"type": "string"}}}
    schemas = merge({"access": with_schemas(Kind=kind, Items=items, Named=named)})["components"]["schemas"]
    assert schemas["Kind"] == {"type": "string", "enum": ["a", "b"]}
    assert schemas["Items"]["items"] == {"type": "string"}
    assert schemas["Named"] == named


def test_a_default_of_one_property_does_not_make_two_of_a_type_that_services_share() -> None:
    kind = {"type": "string", "enum": ["a", "b"]}
    reporting = document("/api/v1/reports", {"$ref": "#/components/schemas/Kind"})
    reporting["components"]["schemas"]["Kind"] = {**kind, "default": "b"}
    merged = merge({"access": with_schemas(Kind=kind), "reporting": reporting})
    assert [name for name in merged["components"]["schemas"] if name.endswith("Kind")] == ["Kind"]


@pytest.mark.parametrize(
    ("media_type", "schema"),
    [
        ("application/pdf", {"type": "string", "format": "binary"}),
        ("application/zip", {"type": "string", "format": "binary"}),
        ("text/csv; charset=utf-8", {"type": "string"}),
        ("application/x-ndjson", {"type": "string"}),
    ],
)
def test_a_file_is_bytes_and_a_text_is_text(media_type: str, schema: dict[str, str]) -> None:
    service = document("/api/v1/factories", PAGE)
    answer = service["paths"]["/api/v1/factories"]["get"]["responses"]["200"]
    answer["content"] = {media_type: {"schema": {"type": "string"}}}
    told = merge({"access": service})["paths"]["/api/v1/factories"]["get"]["responses"]["200"]
    assert told["content"] == {media_type: {"schema": schema}}


def test_the_first_paragraph_of_a_docstring_is_the_summary() -> None:
    service = document("/api/v1/factories", PAGE)
    service["paths"]["/api/v1/factories"]["get"]["description"] = "List all,\nby name.\n\nOthers are not\nlisted."
    operation = merge({"access": service})["paths"]["/api/v1/factories"]["get"]
    assert (operation["summary"], operation["description"]) == ("List all, by name", "Others are not\nlisted.")


def test_the_example_of_what_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"parent": {"oneOf": [{"$ref": "#/components/schemas/Node"}, NULL]}}}
    branch = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Branch"}}},
    }
    leaf = {"type": "object", "properties": {"leaf": {"$ref": "#/components/schemas/Leaf"}}}
    for name, schema in (("Node", node), ("Branch", branch), ("Leaf", leaf)):
        merged = merge({"access": with_schemas(**{name: schema})})
        assert (
            "example" in merged["paths"]["/api/v1/factories"]["get"]["responses"]["200"]["content"]["application/json"]
        )

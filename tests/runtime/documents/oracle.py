"""Obviously correct filters and orders over plain dictionaries, and the documents to try them on."""

from typing import Any

from hypothesis import strategies as st

MISSING = object()


def matches(document: dict[str, Any], where: dict[str, Any]) -> bool:
    """Tell whether a document matches a filter of the documents port."""
    return all(_holds(document, key, value) for key, value in where.items())


def _holds(document: dict[str, Any], key: str, value: Any) -> bool:
    if key == "$and":
        return all(matches(document, part) for part in value)
    if key == "$or":
        return any(matches(document, part) for part in value)
    found = _at(document, key)
    if not isinstance(value, dict):
        return _same(found, value)
    return all(_compares(found, operator, operand) for operator, operand in value.items())


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(document, dict) or step not in document:
            return MISSING
        document = document[step]
    return document


def _kind(value: Any) -> str:
    if value is MISSING or value is None:
        return "null"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def _same(found: Any, value: Any) -> bool:
    if _kind(found) != _kind(value):
        return False
    return _kind(found) == "null" or bool(found == value)


def _compares(found: Any, operator: str, operand: Any) -> bool:
    if operator == "$exists":
        return (found is not MISSING) is operand
    if operator == "$in":
        return any(_same(found, item) for item in operand)
    if operator == "$elemMatch":
        return isinstance(found, list) and any(_same(item, operand["$eq"]) for item in found)
    if operator in {"$eq", "$ne"}:
        return _same(found, operand) is (operator == "$eq")
    if _kind(found) != _kind(operand):
        return False
    return bool(
        {
            "$gt": found > operand,
            "$gte": found >= operand,
            "$lt": found < operand,
            "$lte": found <= operand,
        }[operator]
    )


# Few values, so that they meet; near misses of type (1, 1.0, True, "1"), of text and of size.
SCALARS: list[Any] = [
    *[None, True, False, 0, 1, 1.0, -1, 1.5, 0.1, 0.30000000000000004, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300],
    *["", "1", "a", "A", "á", "a\0", "a\0b", "a\1", "\1\2", "true", "null", "[]", "{}", "\\u0000", "'\"`$.%_\n", "😀"],
]
PATHS = ["flat", "deep.er", "deep.er.still"]

scalars = st.sampled_from(SCALARS)
trees = scalars | st.fixed_dictionaries({}, optional={"er": scalars | st.fixed_dictionaries({"still": scalars})})
documents = st.fixed_dictionaries({}, optional={"flat": scalars, "deep": trees, "many": st.lists(scalars, max_size=3)})


def _conditions() -> st.SearchStrategy[Any]:
    ranges = st.sampled_from(["$gt", "$gte", "$lt", "$lte"])
    return (
        scalars
        | st.dictionaries(st.sampled_from(["$eq", "$ne"]), scalars, min_size=1)
        | st.dictionaries(ranges, scalars.filter(lambda value: value is not None), min_size=1)
        | st.fixed_dictionaries({"$in": st.lists(scalars, max_size=4)})
        | st.fixed_dictionaries({"$exists": st.booleans()})
    )


_plain = st.dictionaries(st.sampled_from(PATHS), _conditions(), max_size=2)
_member = st.fixed_dictionaries(
    {"many": st.fixed_dictionaries({"$elemMatch": st.fixed_dictionaries({"$eq": scalars})})}
)
_held = st.fixed_dictionaries({"many": st.fixed_dictionaries({"$exists": st.booleans()})})
filters: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _plain | _member | _held,
    lambda inner: st.dictionaries(
        st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=5,
)

"""Finding, counting and paging through the documents port, the same for every adapter."""

import asyncio
import itertools
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.runtime.documents import Collection, Documents, Index, InvalidCursor, Sort
from tests.runtime.documents import oracle

BAD_FILTERS: list[Any] = [
    {"a": {"$regex": "x"}},
    {"a": {"$not": {"$eq": 1}}},
    {"$where": "1"},
    {"$nor": [{"a": 1}]},
    {"a": {"b": 1}},
    {"a": {}},
    {"a": [1]},
    {"$and": []},
    {"$or": {"a": 1}},
    {"$or": ["a"]},
    {"a": {"$in": "abc"}},
    {"a": {"$in": [[1]]}},
    {"a": {"$exists": 1}},
    {"a": {"$gt": None}},
    {"a": {"$elemMatch": {"$gt": 1}}},
    {"a": {"$elemMatch": {"b": 1}}},
    {"a": 2**63},
    {"a": float("nan")},
    {"a') OR 1=1 --": 1},
    {'a"': 1},
    {"a..b": 1},
    {"a.0": 1},
    {"": 1},
    {7: 1},
]
SORTS: list[Sort] = [
    (),
    [("_id", 1)],
    [("_id", -1)],
    [("name", 1)],
    [("name", -1)],
    [("rank", -1), ("name", 1)],
    [("rank", 1), ("name", -1)],
    [("maybe", 1)],
    [("maybe", -1)],
    [("maybe", -1), ("rank", -1)],
    [("rank", 1), ("maybe", -1)],
    [("flag", -1), ("maybe", 1)],
]


@pytest.fixture
async def things(documents: Documents) -> Collection:
    indexes = [Index(("run",)), Index(("name",)), Index(("rank", "name")), Index(("maybe",), sparse=True)]
    collection = documents.collection("things", indexes)
    await documents.start()
    return collection


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(contents=st.lists(oracle.documents, max_size=8), filters=st.lists(oracle.filters, min_size=1, max_size=6))
async def test_find_and_count_answer_as_an_obviously_correct_filter(
    things: Collection, contents: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    run = uuid4().hex
    written = [{**content, "_id": f"{run} {n}", "run": run} for n, content in enumerate(contents)]
    await asyncio.gather(*(things.insert(document) for document in written))
    for where in filters:
        asked = {"$and": [{"run": run}, where]}
        expected = [document for document in written if oracle.matches(document, where)]
        assert (await things.find(asked)).documents == expected
        assert await things.count(asked) == len(expected)


@pytest.mark.parametrize("where", BAD_FILTERS, ids=str)
async def test_a_filter_outside_the_language_is_refused(things: Collection, where: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        await things.find(where)
    with pytest.raises(ValueError):  # noqa: PT011
        await things.count(where)


async def test_a_strange_sort_is_refused(things: Collection) -> None:
    strange: list[Any] = [[("a; DROP TABLE things", 1)], [("a", 2)], [("a", "DESC")], [("a", 1), ("a", -1)]]
    for sort in strange:
        with pytest.raises(ValueError):  # noqa: PT011
            await things.find(sort=sort)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_holds_at_least_one_document(things: Collection, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        await things.find(limit=limit)


async def test_a_filter_may_name_a_thousand_values(things: Collection) -> None:
    await asyncio.gather(*(things.insert({"_id": str(n), "name": f"n{n}"}) for n in range(20)))
    assert await things.count({"name": {"$in": [f"n{n}" for n in range(5, 1005)]}}) == 15


async def test_the_id_is_filtered_like_any_text(things: Collection) -> None:
    for document_id in ("1", "2", "a\0b"):
        await things.insert({"_id": document_id})
    assert [await things.count({"_id": value}) for value in ("1", 1, "a\0b", "a", None)] == [1, 0, 1, 0, 0]
    assert await things.count({"_id": {"$gt": "1"}}) == 2


async def test_texts_sort_by_code_point_without_a_limit_on_odd_ones(things: Collection) -> None:
    names = ["", "\0", "\0a", "\1", "\2", "A", "B", "a", "a\0", "a\0b", "a\1", "ab", "é", "ខ", "😀"]
    for n, name in enumerate(reversed(names)):
        await things.insert({"_id": str(n), "name": name})
    page = await things.find(sort=[("name", 1)])
    assert [document["name"] for document in page.documents] == names
    assert await things.count({"name": {"$gt": "a", "$lt": "ab"}}) == 3


def a_thing(n: int) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [{}, {"maybe": None}, {"maybe": n % 5}, {"maybe": n % 7 + 0.5}]
    return {"_id": f"{n * 37 % 101:03}", "name": f"name {n % 6}", "rank": n % 4, "flag": n % 3 == 0, **kinds[n % 4]}


def in_order(things: list[dict[str, Any]], sort: Sort) -> list[str]:
    ordered = sorted(things, key=lambda thing: thing["_id"], reverse=bool(sort) and sort[-1][1] == -1)
    for path, direction in reversed(sort):
        ordered.sort(key=lambda thing: (thing.get(path) is not None, thing.get(path)), reverse=direction == -1)
    return [thing["_id"] for thing in ordered]


@pytest.mark.parametrize("sort", SORTS, ids=str)
@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_pages_give_every_document_once_in_order(things: Collection, sort: Sort, limit: int) -> None:
    written = [a_thing(n) for n in range(40)]
    await asyncio.gather(*(things.insert(thing) for thing in written))
    seen: list[str] = []
    cursor = None
    for _ in itertools.count():
        page = await things.find({"rank": {"$ne": 9}}, sort=sort, limit=limit, after=cursor)
        seen += [document["_id"] for document in page.documents]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == in_order(written, sort)


@pytest.mark.parametrize("sort", SORTS, ids=str)
async def test_pages_lose_and_repeat_nothing_while_documents_are_added(things: Collection, sort: Sort) -> None:
    written = [a_thing(n) for n in range(50)]
    added = iter([a_thing(n) for n in range(50, 101)])
    await asyncio.gather(*(things.insert(thing) for thing in written))
    seen: list[str] = []
    cursor = None
    while True:
        page = await things.find(sort=sort, limit=7, after=cursor)
        seen += [document["_id"] for document in page.documents]
        cursor = page.next_cursor
        if cursor is None:
            break
        await asyncio.gather(*(things.insert(thing) for thing in itertools.islice(added, 5)))
    assert len(seen) == len(set(seen))
    assert {thing["_id"] for thing in written} <= set(seen)


async def test_the_last_page_has_no_cursor_even_when_it_is_full(things: Collection) -> None:
    for n in range(4):
        await things.insert({"_id": str(n)})
    first = await things.find(limit=2)
    last = await things.find(limit=2, after=first.next_cursor)
    assert (len(last.documents), last.next_cursor) == (2, None)


@pytest.mark.parametrize("sort", [[("name", -1)], [("rank", 1)], [("name", 1), ("rank", 1)], ()], ids=str)
async def test_a_cursor_of_another_order_is_refused(things: Collection, sort: Sort) -> None:
    for n in range(4):
        await things.insert(a_thing(n))
    page = await things.find(sort=[("name", 1)], limit=2)
    with pytest.raises(InvalidCursor):
        await things.find(sort=sort, limit=2, after=page.next_cursor)


# The last ones are the order "_id 1" with an integer beyond 64 bits, and with a list, where the id belongs.
FORGED = [
    "",
    "x",
    "!!!!",
    "bnVsbA",
    "WzEsMl0",
    "é",
    "WyJfaWQgMSIsWzk5OTk5OTk5OTk5OTk5OTk5OTk5XV0",
    "WyJfaWQgMSIsW1tdXV0",
]


@pytest.mark.parametrize("cursor", FORGED)
async def test_a_forged_cursor_is_refused(things: Collection, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        await things.find(after=cursor)

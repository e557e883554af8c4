"""Unique and sparse indexes of the documents port, and its outbox scan, the same for every adapter."""

import asyncio
from typing import Any

import pytest

from services.runtime.documents import Collection, Documents, DuplicateKey, Index

UNIQUE = Index(("code",), unique=True)
SPARSE = Index(("code",), unique=True, sparse=True)
PAIR = Index(("stream", "code"), unique=True)


async def declared(documents: Documents, index: Index) -> Collection:
    collection = documents.collection("things", [index])
    await documents.start()
    return collection


async def is_taken(things: Collection, **content: Any) -> bool:
    try:
        await things.insert({"_id": "second", **content})
    except DuplicateKey:
        return True
    return False


@pytest.mark.parametrize("code", ["x", "", 1, 1.5, True, None, "a\0b", 2**63 - 1])
async def test_a_unique_value_is_taken_once(documents: Documents, code: object) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "first", "code": code})
    assert await is_taken(things, code=code)
    assert await things.get("second") is None


@pytest.mark.parametrize(("one", "other"), [("1", 1), (1, True), (0, False), ("", None), ("a", "a\0"), ("a", "A")])
async def test_different_values_are_not_confused(documents: Documents, one: object, other: object) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "first", "code": one})
    assert not await is_taken(things, code=other)


async def test_an_integer_equals_the_same_decimal(documents: Documents) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "first", "code": 1})
    assert await is_taken(things, code=1.0)


async def test_missing_counts_as_null_under_a_unique_index(documents: Documents) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "first"})
    assert await is_taken(things, code=None)


async def test_a_sparse_index_leaves_out_documents_without_the_path(documents: Documents) -> None:
    things = await declared(documents, SPARSE)
    await things.insert({"_id": "first"})
    assert not await is_taken(things)
    assert await things.count({"code": None}) == 2


@pytest.mark.parametrize("code", ["x", None])
async def test_a_sparse_unique_value_is_taken_once(documents: Documents, code: object) -> None:
    things = await declared(documents, SPARSE)
    await things.insert({"_id": "first", "code": code})
    assert await is_taken(things, code=code)


@pytest.mark.parametrize(
    ("content", "taken"),
    [({"stream": "s", "code": 1}, True), ({"stream": "s", "code": 2}, False), ({"stream": "t", "code": 1}, False)],
)
async def test_a_pair_is_unique_together(documents: Documents, content: dict[str, Any], *, taken: bool) -> None:
    things = await declared(documents, PAIR)
    await things.insert({"_id": "first", "stream": "s", "code": 1})
    assert await is_taken(things, **content) is taken


async def test_half_a_pair_is_unique_with_its_null(documents: Documents) -> None:
    things = await declared(documents, PAIR)
    await things.insert({"_id": "first", "stream": "s"})
    assert await is_taken(things, stream="s", code=None)


async def test_replace_may_keep_but_not_take_a_unique_value(documents: Documents) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "a", "version": 1, "code": "x"})
    await things.insert({"_id": "b", "version": 1, "code": "y"})
    assert await things.replace({"_id": "a", "version": 2, "code": "x"}, if_version=1)
    with pytest.raises(DuplicateKey):
        await things.replace({"_id": "b", "version": 2, "code": "x"}, if_version=1)
    assert await things.get("b") == {"_id": "b", "version": 1, "code": "y"}


async def test_a_deleted_document_frees_its_unique_value(documents: Documents) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "first", "code": "x"})
    await things.delete("first")
    assert not await is_taken(things, code="x")


async def test_50_rivals_for_one_unique_value_have_one_winner(documents: Documents) -> None:
    things = await declared(documents, UNIQUE)
    answers = await asyncio.gather(
        *(things.insert({"_id": str(n), "code": "epoch 7"}) for n in range(50)), return_exceptions=True
    )
    assert sum(answer is None for answer in answers) == 1
    assert sum(isinstance(answer, DuplicateKey) for answer in answers) == 49


async def test_the_refusal_does_not_quote_the_value(documents: Documents) -> None:
    things = await declared(documents, UNIQUE)
    await things.insert({"_id": "first", "code": "canary"})
    with pytest.raises(DuplicateKey) as refusal:
        await things.insert({"_id": "second", "code": "canary"})
    assert "canary" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def outbox(document_id: str, *messages: str) -> dict[str, Any]:
    return {"_id": document_id, "version": 1, "pending": [{"id": message, "body": {}} for message in messages]}


@pytest.fixture
async def aggregates(documents: Documents) -> Collection:
    collection = documents.collection("aggregates")
    await documents.start()
    return collection


async def test_the_scan_finds_only_documents_with_pending_messages(aggregates: Collection) -> None:
    for document in (outbox("a", "1"), outbox("b"), {"_id": "c"}, outbox("d", "2", "3")):
        await aggregates.insert(document)
    found = await aggregates.holding_pending(limit=10)
    assert sorted(document["_id"] for document in found) == ["a", "d"]


async def test_the_scan_keeps_to_its_limit(aggregates: Collection) -> None:
    for n in range(5):
        await aggregates.insert(outbox(str(n), f"1-{n}", f"2-{n}"))
    assert len(await aggregates.holding_pending(limit=3)) == 3


async def test_exactly_the_named_messages_are_discarded(aggregates: Collection) -> None:
    await aggregates.insert(outbox("a", "1", "2", "3"))
    await aggregates.insert(outbox("b", "1"))
    await aggregates.discard_pending("a", ["1", "3", "unknown"])
    assert await aggregates.get("a") == outbox("a", "2")
    assert await aggregates.get("b") == outbox("b", "1")


async def test_discarding_nothing_or_from_nobody_is_no_error(aggregates: Collection) -> None:
    await aggregates.insert({"_id": "bare"})
    await aggregates.discard_pending("bare", ["1"])
    await aggregates.discard_pending("bare", [])
    await aggregates.discard_pending("nobody", ["1"])
    assert await aggregates.get("bare") == {"_id": "bare"}
    assert await aggregates.get("nobody") is None


async def test_discarding_beside_replacing_loses_no_message_and_no_change(aggregates: Collection) -> None:
    await aggregates.insert({**outbox("a"), "version": 0, "made": []})
    published: set[str] = set()

    async def decide() -> None:
        for n in range(60):
            while True:
                read = await aggregates.get("a")
                assert read is not None
                pending = [*read["pending"], {"id": str(n)}]
                new = {**read, "version": read["version"] + 1, "pending": pending, "made": [*read["made"], n]}
                if await aggregates.replace(new, if_version=read["version"]):
                    break

    async def relay() -> None:
        while len(published) < 60:
            for document in await aggregates.holding_pending(limit=10):
                messages = [message["id"] for message in document["pending"]]
                await aggregates.discard_pending(document["_id"], messages)
                published.update(messages)

    await asyncio.gather(decide(), relay())
    read = await aggregates.get("a")
    assert read is not None
    assert (read["version"], read["made"]) == (60, list(range(60)))

"""The contract of the documents port, the same for every adapter."""

import asyncio
from typing import Any

import pytest

from services.runtime.documents import Collection, Documents, DuplicateKey, Index

BAD_DOCUMENTS: dict[str, dict[str, Any]] = {
    "no id": {"a": 1},
    "empty id": {"_id": ""},
    "id that is no text": {"_id": 7},
    "key with a dot": {"_id": "x", "a.b": 1},
    "key with a dollar sign": {"_id": "x", "deep": [{"$set": 1}]},
    "empty key": {"_id": "x", "": 1},
    "key with NUL": {"_id": "x", "a\0": 1},
    "key that is no text": {"_id": "x", "a": {1: 2}},
    "integer of 65 bits": {"_id": "x", "a": 2**63},
    "not a number": {"_id": "x", "a": float("nan")},
    "infinity": {"_id": "x", "a": float("inf")},
    "bytes": {"_id": "x", "a": b""},
    "lone surrogate": {"_id": "x", "a": "\ud800"},
    "version that is no integer": {"_id": "x", "version": 1.0},
    "pending without id": {"_id": "x", "pending": [{"type": "a"}]},
    "more than 16 MB": {"_id": "x", "a": "a" * (16 * 1024 * 1024)},
}


@pytest.fixture
async def things(documents: Documents) -> Collection:
    collection = documents.collection("things", [Index(("name",)), Index(("state.rank", "name"))])
    await documents.start()
    return collection


async def test_a_document_reads_back_as_it_was_written(things: Collection) -> None:
    written: dict[str, Any] = {
        "_id": "a\0😀/'\";--",
        "version": 1,
        "texts": ["", "a\0b", "\1\1\2", "😀\U0010ffff", "e\u0301", "\\u0000", "\u2028\x7f", '"', "ខ្មែរ"],
        "numbers": [2**63 - 1, -(2**63), 0, 0.1, 1e-300, 1.7976931348623157e308, 1.0],
        "others": [None, True, False, [], {}, [[1], {"a": [{}]}]],
        "keys": {"a b": 1, "é\1": 2, "1": 3, "a$": 4},
    }
    await things.insert(written)
    read = await things.get(written["_id"])
    assert read == written
    assert [type(number) for number in (read or {})["numbers"]] == [int, int, int, float, float, float, float]


async def test_a_document_of_one_megabyte_reads_back(things: Collection) -> None:
    written = {"_id": "big", "version": 1, "lines": [{"n": n, "text": "ж" * 400} for n in range(1200)]}
    await things.insert(written)
    assert await things.get("big") == written


async def test_a_document_that_is_not_there_reads_as_none(things: Collection) -> None:
    assert await things.get("nobody") is None


async def test_an_id_is_taken_once(things: Collection) -> None:
    await things.insert({"_id": "a", "name": "first"})
    with pytest.raises(DuplicateKey):
        await things.insert({"_id": "a", "name": "second"})
    assert await things.get("a") == {"_id": "a", "name": "first"}


async def test_collections_do_not_share_documents(documents: Documents) -> None:
    one, other = documents.collection("one"), documents.collection("other")
    await documents.start()
    await one.insert({"_id": "a"})
    assert await other.get("a") is None


async def test_replace_writes_the_whole_document_when_the_version_still_holds(things: Collection) -> None:
    await things.insert({"_id": "a", "version": 1, "old": True})
    assert await things.replace({"_id": "a", "version": 2, "new": True}, if_version=1)
    assert await things.get("a") == {"_id": "a", "version": 2, "new": True}


@pytest.mark.parametrize(("document_id", "version"), [("a", 2), ("a", 0), ("b", 1)])
async def test_replace_changes_nothing_at_another_version_or_id(
    things: Collection, document_id: str, version: int
) -> None:
    await things.insert({"_id": "a", "version": 1})
    assert not await things.replace({"_id": document_id, "version": 3}, if_version=version)
    assert [await things.get("a"), await things.get("b")] == [{"_id": "a", "version": 1}, None]


async def test_replace_needs_a_version(things: Collection) -> None:
    with pytest.raises(ValueError, match="version"):
        await things.replace({"_id": "a"}, if_version=1)


async def test_delete_tells_whether_there_was_one(things: Collection) -> None:
    await things.insert({"_id": "a"})
    assert [await things.delete("a"), await things.delete("a"), await things.get("a")] == [True, False, None]


@pytest.mark.parametrize("fault", BAD_DOCUMENTS)
async def test_a_document_that_not_every_adapter_could_hold_is_refused(things: Collection, fault: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        await things.insert(BAD_DOCUMENTS[fault])
    assert await things.count() == 0


async def test_a_document_nests_a_hundred_levels_and_no_more(things: Collection) -> None:
    levels: dict[str, Any] = {}
    for _ in range(98):
        levels = {"a": levels}
    await things.insert({"_id": "deep", "a": levels})
    assert await things.get("deep") == {"_id": "deep", "a": levels}
    with pytest.raises(ValueError, match="100"):
        await things.insert({"_id": "deeper", "a": {"a": levels}})


async def test_200_concurrent_increments_lose_nothing(things: Collection) -> None:
    await things.insert({"_id": "counter", "version": 0, "count": 0})

    async def increment() -> None:
        while True:
            read = await things.get("counter")
            assert read is not None
            new = {**read, "version": read["version"] + 1, "count": read["count"] + 1}
            if await things.replace(new, if_version=read["version"]):
                return

    # 20 at a time: each round of rivals has one winner.
    gate = asyncio.Semaphore(20)

    async def one() -> None:
        async with gate:
            await increment()

    await asyncio.gather(*(one() for _ in range(200)))
    assert await things.get("counter") == {"_id": "counter", "version": 200, "count": 200}


async def test_200_simultaneous_replacements_of_one_version_have_one_winner(things: Collection) -> None:
    await things.insert({"_id": "a", "version": 0})
    rivals = [things.replace({"_id": "a", "version": 1, "by": n}, if_version=0) for n in range(200)]
    assert sum(await asyncio.gather(*rivals)) == 1


async def test_500_concurrent_inserts_are_all_there(things: Collection) -> None:
    await asyncio.gather(*(things.insert({"_id": f"{n:03}", "n": n}) for n in range(500)))
    page = await things.find(limit=1000)
    assert [document["n"] for document in page.documents] == list(range(500))


async def test_a_refused_insert_fails_alone_among_concurrent_ones(things: Collection) -> None:
    await things.insert({"_id": "5"})
    answers = await asyncio.gather(*(things.insert({"_id": str(n)}) for n in range(20)), return_exceptions=True)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, DuplicateKey)] == [5]
    assert await things.count() == 20


async def test_an_acknowledged_write_is_read_at_once(things: Collection) -> None:
    for n in range(50):
        await things.insert({"_id": str(n)})
        assert await things.get(str(n))


async def test_start_and_stop_may_be_repeated(documents: Documents) -> None:
    things = documents.collection("things", [Index(("name",), unique=True)])
    await documents.start()
    await documents.start()
    await things.insert({"_id": "a", "name": "x"})
    await documents.stop()
    await documents.stop()
    await documents.start()
    assert await things.get("a") == {"_id": "a", "name": "x"}


async def test_stop_finishes_what_was_accepted(documents: Documents) -> None:
    things = documents.collection("things")
    await documents.start()
    writes = [asyncio.ensure_future(things.insert({"_id": str(n)})) for n in range(1200)]
    await asyncio.sleep(0)
    await documents.stop()
    await asyncio.gather(*writes)
    await documents.start()
    assert await things.count() == 1200


async def test_nothing_is_answered_before_start(documents: Documents) -> None:
    things = documents.collection("things")
    for call in (things.get("a"), things.insert({"_id": "a"}), documents.ping()):
        with pytest.raises(RuntimeError):
            await call


async def test_ping_answers_when_started(documents: Documents) -> None:
    await documents.start()
    await documents.ping()


@pytest.mark.parametrize("name", ["", "Things", "a.b", 'a"', "a b", "$a", "1a", "x" * 61])
async def test_a_strange_collection_name_is_refused(documents: Documents, name: str) -> None:
    with pytest.raises(ValueError, match="collection"):
        documents.collection(name)


async def test_a_strange_index_path_is_refused(documents: Documents) -> None:
    with pytest.raises(ValueError, match="path"):
        documents.collection("things", [Index(("a') --",))])

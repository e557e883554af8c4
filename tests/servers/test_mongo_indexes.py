"""The indexes of the MongoDB-wire server: whatever is asked, the same documents in the same order as without them."""

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from tests.servers import Mongo

Stored = dict[str, Any]
Side = Collection[Stored]

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

INDEXES: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("a",), {}),
    (("a", "b.c"), {}),
    (("b.c", "a"), {"sparse": True}),
    (("d",), {"sparse": True}),
    (("e.f",), {"sparse": True}),
    (("a", "e.f"), {}),
    (("b.d", "d"), {}),
    (("e.f", "e.g"), {}),
    (("pending.id",), {"sparse": True}),
    (("key", "a"), {"unique": True}),
)
PATHS = ("a", "b.c", "b.d", "d", "e.f", "e.g", "pending.id", "key")
SCALARS = (0, 1, 1.5, 2, 2**53 + 1, "", "x", "y", "ya", True, False)
ROUNDS = 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongo]:
    with Mongo(tmp_path_factory.mktemp("mongo")) as made:
        if made.external:
            pytest.skip("an existing deployment is used instead")
        yield made


class Sides:
    """The same documents twice: with every index, and without any, where `key` stands for the id."""

    def __init__(self, client: MongoClient[Stored], chance: random.Random) -> None:
        self.indexed: Side = client.star.indexed
        self.plain: Side = client.star.plain
        self._chance = chance
        self._made = 0

    def declare(self) -> None:
        for paths, options in INDEXES:
            self.indexed.create_index([(path, 1) for path in paths], **options)

    def change(self) -> None:
        for _ in range(60):
            self._insert()
        for _ in range(30):
            key = f"k{self._chance.randrange(self._made)}"
            now = self._document(key)
            for side in (self.indexed, self.plain):
                side.replace_one({"key": key}, now)
        for _ in range(10):
            key = f"k{self._chance.randrange(self._made)}"
            for side in (self.indexed, self.plain):
                side.delete_one({"key": key})
            for side in (self.indexed, self.plain):
                side.update_many({"a": "x"}, {"$pull": {"pending": {"id": {"$in": [1, "x"]}}}})

    def ask(self) -> Stored:
        """Ask one question of both; returns it where the answers differ."""
        where = self._where()
        order = self._order()
        limit = self._chance.choice((0, 0, 1, 3, 20))
        asked = [
            [found["_id"] for found in side.find(_named(where, ident), sort=_sorted(order, ident), limit=limit)]
            for side, ident in ((self.indexed, "_id"), (self.plain, "key"))
        ]
        counted = [side.count_documents(where) for side in (self.indexed, self.plain)]
        if asked[0] == asked[1] and counted[0] == counted[1]:
            return {}
        return {"where": where, "order": order}

    def _insert(self) -> None:
        document = self._document(f"k{self._made}")
        self._made += 1
        for side in (self.indexed, self.plain):
            side.insert_one(document)

    def _document(self, key: str) -> Stored:
        document: Stored = {"_id": key, "key": key, **self._some("a"), **self._some("d")}
        if self._chance.random() < 0.8:
            document["b"] = {**self._some("c"), **self._some("d")}
        # The second half of the rounds has arrays of several, which no order of an index can follow.
        is_late = self._made > 60 * ROUNDS // 2
        several = self._chance.randrange(1, 4) if is_late else 1
        document["e"] = [{**self._some("f"), **self._some("g")} for _ in range(several)]
        document["pending"] = [{"id": self._scalar()} for _ in range(self._chance.randrange(3))]
        if is_late and self._chance.random() < 0.3:
            document["d"] = [self._scalar() for _ in range(self._chance.randrange(3))]
        return document

    def _some(self, name: str) -> Stored:
        drawn = self._chance.random()
        return {} if drawn < 0.15 else {name: None if drawn < 0.3 else self._scalar()}

    def _scalar(self) -> Any:
        return self._chance.choice(SCALARS)

    def _value(self, path: str) -> Any:
        return f"k{self._chance.randrange(self._made)}" if path == "key" else self._scalar()

    def _where(self) -> Stored:
        return {"$and": [self._part() for _ in range(self._chance.randrange(1, 4))]} | self._part()

    def _part(self) -> Stored:
        path = self._chance.choice(PATHS)
        value = partial(self._value, path)
        conditions: list[Any] = [
            value(),
            None,
            {"$in": [value(), value(), None]},
            {"$in": [value(), value()]},
            {"$in": []},
            {"$gt": value(), "$lte": value()},
            {"$gte": value()},
            {"$lt": value()},
            {"$ne": value()},
            {"$exists": self._chance.random() < 0.5},
            {"$elemMatch": {"$eq": value()}},
        ]
        weights = (4, 1, 1, 3, 0.2, 2, 4, 2, 2, 1, 1)
        part = {path: self._chance.choices(conditions, weights)[0]}
        return {"$or": [part, self._part()]} if self._chance.random() < 0.1 else part

    def _order(self) -> list[tuple[str, int]]:
        direction = self._chance.choice((1, -1))
        # Never by what may be an empty array: the library puts one such before the other, whichever comes first.
        paths = self._chance.choice(((), ("a",), ("b.c",), ("a", "b.c"), ("b.c", "a"), ("a", "e.f"), ("e.f",)))
        order = [(path, direction) for path in paths]
        if order and self._chance.random() < 0.2:
            order[-1] = (order[-1][0], -direction)
        return [*order, ("key", direction)]


def _named(where: Any, ident: str) -> Any:
    """The question with another name for the id."""
    if isinstance(where, list):
        return [_named(part, ident) for part in where]
    if isinstance(where, dict):
        return {ident if name == "key" else name: _named(part, ident) for name, part in where.items()}
    return where


def _sorted(order: list[tuple[str, int]], ident: str) -> list[tuple[str, int]]:
    return [(ident if path == "key" else path, direction) for path, direction in order]


@pytest.mark.parametrize("seed", [1, 2])
def test_an_index_changes_no_answer(server: Mongo, seed: int) -> None:
    client: MongoClient[Stored] = MongoClient(server.url)
    with client:
        client.drop_database("star")
        sides = Sides(client, random.Random(seed))
        sides.declare()
        for number in range(ROUNDS):
            sides.change()
            if number == ROUNDS - 2:
                # The indexes are in memory: what is found afterwards was filled in anew.
                server.restart()
            assert [differs for _ in range(80) if (differs := sides.ask())] == []


def test_parallel_arrays_cannot_be_indexed(server: Mongo) -> None:
    client: MongoClient[Stored] = MongoClient(server.url)
    with client:
        client.star.parallel.create_index([("a", 1), ("b", 1)])
        client.star.parallel.insert_one({"_id": "one", "a": [1, 2], "b": 3})
        with pytest.raises(OperationFailure, match="parallel arrays"):
            client.star.parallel.insert_one({"_id": "two", "a": [1], "b": [2]})
        assert [found["_id"] for found in client.star.parallel.find({"a": 2})] == ["one"]


def test_a_dropped_index_takes_its_order_along(server: Mongo) -> None:
    client: MongoClient[Stored] = MongoClient(server.url)
    with client:
        name = client.star.dropped.create_index("a", unique=True)
        client.star.dropped.insert_one({"_id": "one", "a": 1})
        client.star.dropped.drop_index(name)
        client.star.dropped.insert_one({"_id": "two", "a": 1})
        assert [found["_id"] for found in client.star.dropped.find({"a": 1}, sort=[("a", 1), ("_id", 1)])] == [
            "one",
            "two",
        ]
        client.star.dropped.drop()
        assert client.star.dropped.count_documents({}) == 0

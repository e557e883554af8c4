"""Reads of concurrent requests share a record, each is on it once or refused, and nobody waits for ever."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from contracts.reads import MOST_READS, Read
from gateway import recording
from gateway.recording import AccessReads, ReadLog, ReadNotRecorded
from gateway.upstream import UpstreamDown
from services.runtime.identity import Signer
from tests.access.logs import a_read
from tests.gateway.feed import KeptReads
from tests.gateway.running import Scripted, gateway_settings, upstream_to
from tests.support.eventually import eventually
from tests.support.services import SIGNING_KEY


@pytest.fixture
def kept() -> KeptReads:
    return KeptReads()


@pytest.fixture
def log(kept: KeptReads) -> ReadLog:
    return ReadLog(kept, wait_s=20)


def named(*names: str) -> list[Read]:
    return [a_read(name) for name in names]


def ids(kept: KeptReads) -> list[list[str]]:
    """The reads of each batch."""
    return [[read.id for read in batch.reads] for batch in kept.batches]


async def waiting(kept: KeptReads, log: ReadLog, *names: str) -> list[asyncio.Task[None]]:
    """Hold the sink, and let one request after the other wait for it."""
    kept.hold = asyncio.Event()
    asked = []
    for name in names:
        asked.append(asyncio.create_task(log.record(named(name))))
        await asyncio.sleep(0.01)
    return asked


async def test_one_reader_waits_for_nobody(kept: KeptReads, log: ReadLog) -> None:
    await log.record(named("r1"))
    await log.record(named("r2", "r3"))
    assert ids(kept) == [["r1"], ["r2", "r3"]]


async def test_reads_that_come_while_a_batch_is_on_its_way_share_the_next_one(kept: KeptReads, log: ReadLog) -> None:
    asked = await waiting(kept, log, "r1", "r2", "r3", "r4")
    assert kept.hold is not None
    kept.hold.set()
    await asyncio.gather(*asked)
    assert ids(kept) == [["r1"], ["r2", "r3", "r4"]]
    assert len({batch.id for batch in kept.batches}) == 2


async def test_an_answer_goes_out_only_when_all_of_its_reads_are_on_record(kept: KeptReads, log: ReadLog) -> None:
    many = named(*(f"r{number}" for number in range(MOST_READS + 1)))
    put, gates = kept.put, [asyncio.Event(), asyncio.Event()]

    async def gated(batch: bytes) -> None:
        await gates[len(kept.batches)].wait()
        await put(batch)

    kept.put = gated  # type: ignore[method-assign]
    asked = asyncio.create_task(log.record(many))
    gates[0].set()
    await eventually(lambda: kept.batches, saying="the first batch is on record")
    await asyncio.sleep(0.05)
    assert not asked.done()
    gates[1].set()
    await asked
    assert [len(batch.reads) for batch in kept.batches] == [MOST_READS, 1]


async def test_a_batch_is_not_larger_than_access_takes(
    kept: KeptReads, log: ReadLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(msgspec.json.encode(a_read("r1")))
    monkeypatch.setattr(recording, "MOST_BYTES", 2 * size)
    await log.record(named("r1", "r2", "r3", "r4", "r5"))
    assert ids(kept) == [["r1", "r2"], ["r3", "r4"], ["r5"]]


class Failing:
    """A sink that fails a few times, noting what it was given."""

    def __init__(self, times: int, error: Exception) -> None:
        self.tries: list[bytes] = []
        self._times = times
        self._error = error

    async def put(self, batch: bytes) -> None:
        self.tries.append(batch)
        if len(self.tries) <= self._times:
            raise self._error


@pytest.mark.parametrize("error", [ConnectionError("503"), UpstreamDown("no answer")])
async def test_a_batch_of_unknown_end_is_tried_again_as_the_same_batch(error: Exception) -> None:
    sink = Failing(2, error)
    await ReadLog(sink, wait_s=20).record(named("r1"))
    assert len(sink.tries) == 3
    assert len(set(sink.tries)) == 1


async def test_what_access_does_not_take_is_refused_at_once() -> None:
    sink = Failing(9, ReadNotRecorded("400"))
    with pytest.raises(ReadNotRecorded):
        await ReadLog(sink, wait_s=5).record(named("r1"))
    assert len(sink.tries) == 1


async def test_a_failed_batch_is_refused_and_the_next_one_tried(kept: KeptReads, log: ReadLog) -> None:
    kept.failure = RuntimeError("broken")
    asked = await waiting(kept, log, "r1", "r2")
    assert kept.hold is not None
    kept.hold.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [ReadNotRecorded, ReadNotRecorded]
    kept.failure = None
    await log.record(named("r3"))
    assert ids(kept) == [["r3"]]


async def test_a_reader_does_not_wait_longer_than_agreed(kept: KeptReads) -> None:
    log = ReadLog(kept, wait_s=0.2)
    asked = await waiting(kept, log, "r1", "r2")
    async with asyncio.timeout(10):
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [ReadNotRecorded, ReadNotRecorded]
    await eventually(lambda: log._sending is None, saying="the batch on its way is given up")
    assert kept.hold is not None
    kept.hold.set()
    log._wait_s = 20
    await log.record(named("r3"))
    assert ids(kept) == [["r3"]], "what nobody waits for any more is not put on record later"


async def test_a_reader_who_left_is_not_put_on_record(kept: KeptReads, log: ReadLog) -> None:
    asked = await waiting(kept, log, "r1", "r2", "r3")
    asked[1].cancel()
    await asyncio.sleep(0)
    assert kept.hold is not None
    kept.hold.set()
    await asyncio.gather(*asked, return_exceptions=True)
    assert ids(kept) == [["r1"], ["r3"]]


@pytest.mark.parametrize(
    "wrong",
    [{"name": "x" * 301}, {"name": "\ud800"}, {"documents": ("../r1",)}, {"factory_id": ""}, {"trace_id": "?"}],
    ids=["too long", "no text", "no id", "no factory", "no trace"],
)
async def test_a_read_that_access_would_not_take_is_refused_alone(
    kept: KeptReads, log: ReadLog, wrong: dict[str, object]
) -> None:
    asked = await waiting(kept, log, "r1", "r2")
    with pytest.raises(ReadNotRecorded):
        await log.record([a_read("r3", **wrong)])
    assert kept.hold is not None
    kept.hold.set()
    await asyncio.gather(*asked)
    assert ids(kept) == [["r1"], ["r2"]]


async def test_more_than_can_wait_is_refused(kept: KeptReads, log: ReadLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 2)
    asked = await waiting(kept, log, "r1", "r2", "r3")
    with pytest.raises(ReadNotRecorded, match="Too many"):
        await log.record(named("r4"))
    assert kept.hold is not None
    kept.hold.set()
    await asyncio.gather(*asked)


async def test_what_waits_at_the_end_is_refused(kept: KeptReads, log: ReadLog) -> None:
    asked = await waiting(kept, log, "r1", "r2")
    await log.stop()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [ReadNotRecorded, ReadNotRecorded]


@pytest.mark.parametrize("adapter", ["inprocess", "http"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(204, None), (400, ReadNotRecorded), (401, ReadNotRecorded), (413, ReadNotRecorded), (503, ConnectionError)],
)
async def test_only_access_s_own_word_counts_as_a_record(
    adapter: str, status: int, error: type[Exception] | None, tmp_path: Path
) -> None:
    service = Scripted(status=status, body=b"")
    async with upstream_to(adapter, service) as upstream:
        await upstream.start()
        sink = AccessReads(upstream, Signer(SIGNING_KEY), gateway_settings(tmp_path))
        try:
            if error is None:
                await sink.put(b"{}")
            else:
                with pytest.raises(error):
                    await sink.put(b"{}")
        finally:
            await upstream.stop()
    assert (service.seen[0].method, service.seen[0].path, service.seen[0].body) == ("POST", "/internal/reads", b"{}")

"""The test servers themselves: each speaks its protocol on loopback only, keeps its data, and is gone when stopped."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import aio_pika
import pytest
from minio import Minio as S3Client
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

from tests.servers import Minio, Mongo, RabbitMQ, S3Endpoint, Server, ServerError, VersityGw, process
from tests.servers.listeners import listeners, processes_below
from tests.servers.mongodb import MONGO_URL
from tests.servers.ports import is_free

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

KINDS: tuple[type[RabbitMQ | Mongo | Minio | VersityGw], ...] = (RabbitMQ, Mongo, Minio, VersityGw)


def _is_gone(pid: int) -> bool:
    """Ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _client(endpoint: S3Endpoint) -> S3Client:
    host = endpoint.url.removeprefix("http://")
    return S3Client(host, access_key=endpoint.access_key, secret_key=endpoint.secret_key, secure=False)


async def _publish_and_get(url: str, name: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        # A name of its own: a quorum queue whose node was just killed may refuse messages until it has a leader,
        # which is for the bus to bear (tests/crash), not a sign of whether the server is back.
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"a visit"), routing_key=name)
        message = await queue.get(timeout=10)
        await message.ack()
        return message.body


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made: Server = request.param(tmp_path_factory.mktemp(request.param.name))
    if made.external:
        pytest.skip("an existing deployment is used instead")
    with made:
        yield made


def _speak(server: Server) -> None:
    """One write and one read in the server's own protocol."""
    if isinstance(server, RabbitMQ):
        assert asyncio.run(_publish_and_get(server.url, f"visits-{uuid4().hex}")) == b"a visit"
    elif isinstance(server, Mongo):
        client: MongoClient[dict[str, object]] = MongoClient(server.url)
        with client:
            client.star.visits.create_index("number", unique=True)
            client.star.visits.replace_one({"_id": "v"}, {"_id": "v", "number": 1}, upsert=True)
            assert client.star.visits.find_one({"number": 1}) == {"_id": "v", "number": 1}
    elif isinstance(server, Minio | VersityGw):
        client_ = _client(server.endpoint)
        if not client_.bucket_exists("visits"):
            client_.make_bucket("visits")
        source = Path(__file__)
        client_.fput_object("visits", "a/b.txt", str(source), content_type="text/x-visit")
        assert client_.stat_object("visits", "a/b.txt").size == source.stat().st_size


def test_a_started_server_speaks_its_protocol(server: Server) -> None:
    _speak(server)


def test_every_listener_of_a_server_is_on_loopback(server: Server) -> None:
    pids = processes_below(server.pid)
    if isinstance(server, RabbitMQ):
        pids |= processes_below(server.epmd_pid)
    found = listeners(pids)
    assert {port for port, _ in found} >= set(server.ports)
    assert [(port, str(address)) for port, address in found if not address.is_loopback] == []


def test_a_server_opens_no_port_beside_its_own(server: Server) -> None:
    assert {port for port, _ in listeners(processes_below(server.pid))} <= set(server.ports)


def test_a_restarted_server_speaks_again_on_the_same_ports(server: Server) -> None:
    before, ports = server.pid, server.ports
    server.restart()
    assert (server.ports, server.pid != before) == (ports, True)
    _speak(server)


def test_a_killed_server_comes_back_on_its_data(server: Server) -> None:
    server.kill()
    assert not server.running
    server.start()
    _speak(server)


def test_a_paused_server_is_silent_and_answers_when_resumed(server: Server) -> None:
    server.pause()
    assert not server.answers()
    server.resume()
    assert _eventually(server.answers)


def test_a_server_stopped_while_paused_leaves_neither_process_nor_listener(server: Server) -> None:
    pids = processes_below(server.pid)
    server.pause()
    server.stop()
    assert _eventually(lambda: all(_is_gone(pid) for pid in pids))
    assert [port for port in server.ports if not is_free(port)] == []
    server.start()


def test_a_server_started_from_a_thread_outlives_the_thread(server: Server) -> None:
    server.kill()
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    time.sleep(0.5)
    assert server.answers()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_process_survives_a_test_run_that_is_killed(
    kind: type[RabbitMQ | Mongo | Minio | VersityGw], tmp_path: Path
) -> None:
    if kind(tmp_path).external:
        pytest.skip("an existing deployment is used instead")
    program = f"""
        import pathlib, time
        from tests.servers import {kind.__name__}
        server = {kind.__name__}(pathlib.Path({str(tmp_path)!r}))
        server.start()
        server.pause()
        print("started", flush=True)
        time.sleep(600)
    """
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE)
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"started\n"
        started = processes_below(run.pid)
        assert len(started) > 1
        run.send_signal(signal.SIGKILL)
    assert _eventually(lambda: all(_is_gone(pid) for pid in started))


def test_mongo_keeps_documents_and_unique_indexes_over_a_stop(tmp_path: Path) -> None:
    with Mongo(tmp_path) as server:
        if server.external:
            pytest.skip("an existing deployment is used instead")
        client: MongoClient[dict[str, object]] = MongoClient(server.url, w="majority", journal=True)
        with client:
            client.star.factories.create_index("hub", unique=True)
            client.star.factories.insert_many({"_id": number, "hub": number} for number in range(500))
            server.restart()
            assert client.star.factories.count_documents({}) == 500
            with pytest.raises(DuplicateKeyError):
                client.star.factories.insert_one({"_id": "again", "hub": 3})


def test_a_server_that_cannot_start_fails_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = Minio(tmp_path)
    if server.external:
        pytest.skip("an existing deployment is used instead")
    server.endpoint = S3Endpoint(server.endpoint.url, "short", "short")
    with pytest.raises(ServerError, match=r"minio ended with code 1:(.|\n)*credentials"):
        server.start()
    assert not server.running


def test_a_server_whose_port_was_taken_refuses_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_DEADLINE", 0.2)
    server = Minio(tmp_path)
    if server.external:
        pytest.skip("an existing deployment is used instead")
    with socket.create_server(("127.0.0.1", server.ports[0])), pytest.raises(ServerError, match="somebody else"):
        server.start()


def test_a_named_deployment_is_neither_started_nor_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MONGO_URL, "mongodb://elsewhere.example/")
    with Mongo(tmp_path) as server:
        assert (server.url, server.running) == ("mongodb://elsewhere.example/", False)
        with pytest.raises(ServerError, match="foreign deployment"):
            server.kill()


def test_a_lasting_stop_ends_in_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_DEADLINE", 0.5)
    stubborn = ["sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60"]
    started = process.spawn(stubborn, tmp_path / "log", dict(os.environ))
    time.sleep(0.3)
    process.end(started)
    assert started.returncode == -signal.SIGKILL

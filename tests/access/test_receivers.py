"""A webhook reaches public addresses only, whatever a URL says and whatever a name server answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.access.domain.addresses import AddressNotAllowed, checked_url, is_allowed
from services.access.domain.webhook import Key, Scheme
from services.access.store import names
from services.access.store import receivers as module
from services.access.store.receivers import NotSent, Receivers
from services.runtime.unavailable import StoreUnavailable
from tests.access.hooks import a_receiver
from tests.support.eventually import eventually
from tests.support.tracing import kept_spans

PRIVATE = """
127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 168.63.129.16 0.0.0.0
224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 192.88.99.1 ::1 :: fd00:ec2::254 fe80::1 fe80::1%eth0
ff02::1 2001:db8::1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
2002:a9fe:a9fe:: 2001:0:a9fe:a9fe:: 192.0.0.192 fec0::1 3fff::1 2130706433 0x7f000001 0177.0.0.1 localhost
"""
NOT_URLS = (
    "http://buyer.example/hook",
    "ftp://buyer.example/hook",
    "https:///hook",
    "https://user@buyer.example/hook",
    "https://user:password@buyer.example/hook",
    "https://buyer.example:22/hook",
    "https://buyer.example:0/hook",
    "https://buyer.example:99999/hook",
    "https://buyer.example/hook#part",
    "https://127.0.0.1/hook",
    "https://[::1]/hook",
    "https://[::ffff:10.0.0.1]/hook",
    "https://169.254.169.254/latest/meta-data/",
    "https://buyer.example/" + "x" * 2_000,
    "hook",
    "",
)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return kept_spans()


@contextlib.asynccontextmanager
async def unguarded() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("address", PRIVATE.split())
def test_nothing_is_sent_to_an_address_that_is_not_public(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize("url", NOT_URLS)
def test_an_address_that_no_webhook_may_have_is_refused(url: str) -> None:
    with pytest.raises(AddressNotAllowed):
        checked_url(url, allows_loopback=False)


@pytest.mark.parametrize("url", ["https://buyer.example/hook", "https://buyer.example:8443/hook?a=b"])
def test_a_usual_address_is_taken(url: str) -> None:
    assert checked_url(url, allows_loopback=False) == url


async def test_a_name_that_leads_to_this_computer_is_not_connected_to() -> None:
    async def lookup(_: str, __: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    async with a_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "buyer.example")
        with pytest.raises(NotSent, match="public address"):
            await sent(Receivers(lookup=lookup), url)
        assert receiver.got == []


async def test_a_name_of_which_one_address_is_private_is_not_connected_to_at_all() -> None:
    async def lookup(_: str, __: int) -> list[str]:
        return ["127.0.0.1", "10.0.0.1"]

    async with a_receiver() as receiver:
        with pytest.raises(NotSent, match="public address"):
            await sent(
                Receivers(lookup=lookup, allows_loopback=True), receiver.url.replace("127.0.0.1", "buyer.example")
            )
        assert receiver.got == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
async def test_a_number_in_the_url_is_checked_where_the_socket_is_made(host: str) -> None:
    async with a_receiver() as receiver:
        with pytest.raises(NotSent):
            await sent(Receivers(), receiver.url.replace("127.0.0.1", host))
        assert receiver.got == []


async def test_a_name_is_resolved_once_an_attempt_and_connected_to_as_checked() -> None:
    """A name server that answers another time differently is not asked another time."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[str] = []

    async def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    receivers = Receivers(lookup=rebinding, allows_loopback=True)
    async with a_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "buyer.example")
        await sent(receivers, url)
        assert (len(asked), len(receiver.got)) == (1, 1)
        assert receiver.got[0][0]["host"].startswith("buyer.example")
        with pytest.raises(NotSent, match="public address"):
            await sent(receivers, url)
        assert len(receiver.got) == 1


async def test_an_address_that_changes_after_the_check_is_refused_by_the_socket() -> None:
    """Should the resolver be fooled, the socket is not: it sees the very address."""
    receivers = Receivers(lookup=None)
    receivers._names._allows_loopback = True
    async with a_receiver() as receiver:
        with pytest.raises(NotSent, match="public address"):
            await sent(receivers, receiver.url.replace("127.0.0.1", "localhost"))
        assert receiver.got == []


async def test_a_receiver_that_never_answers_does_not_hold_anything_for_long() -> None:
    async with a_receiver() as receiver:
        never = asyncio.Event()
        receiver.before = never.wait  # type: ignore[assignment]
        with pytest.raises(NotSent, match="did not answer in time"):
            await sent(Receivers(allows_loopback=True, timeout_s=0.3), receiver.url)
        never.set()


async def test_name_servers_of_one_buyer_that_never_answer_do_not_hold_up_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "LOOKUPS", 4)
    never = asyncio.Event()

    async def lookup(host: str, _: int) -> list[str]:
        if host == "dead.example":
            await never.wait()
        return ["127.0.0.1"]

    async with a_receiver() as receiver:
        receivers = Receivers(lookup=lookup, allows_loopback=True, timeout_s=2)
        dead = [asyncio.create_task(sent(receivers, "https://dead.example/")) for _ in range(8)]
        await eventually(lambda: bool(receivers._names._taken["b1"]), saying="the first names being looked up")
        await sent(receivers, receiver.url.replace("127.0.0.1", "localhost"), "b2")
        assert len(receiver.got) == 1
        assert not [each for each in dead if each.done()]
        never.set()
        await asyncio.gather(*dead, return_exceptions=True)


async def test_who_waits_for_others_to_be_looked_up_is_not_to_blame() -> None:
    """A lookup goes on when nobody waits for it any more, as a thread cannot be stopped: its place is not free."""
    never = asyncio.Event()

    async def lookup(_: str, __: int) -> list[str]:
        await never.wait()
        return []

    receivers = Receivers(lookup=lookup, allows_loopback=True, timeout_s=0.2)
    for expected in (NotSent, StoreUnavailable):
        sending = (sent(receivers, "https://dead.example/") for _ in range(names.LOOKUPS_OF_A_BUYER))
        assert {type(each) for each in await asyncio.gather(*sending, return_exceptions=True)} == {expected}
    never.set()


async def test_the_time_in_which_we_decide_is_not_the_receivers() -> None:
    @contextlib.asynccontextmanager
    async def slowly() -> AsyncIterator[None]:
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.5)
        yield

    async with a_receiver() as receiver:
        receivers = Receivers(allows_loopback=True, timeout_s=0.3)
        await receivers.send(receiver.url, {}, b"{}", slowly, whose="b1")
        assert len(receiver.got) == 1


async def test_a_receiver_is_not_kept_waiting_for_a_decision_that_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DECIDING_S", 0.1)

    @contextlib.asynccontextmanager
    async def never() -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async with a_receiver() as receiver:
        with pytest.raises(StoreUnavailable):
            await Receivers(allows_loopback=True).send(receiver.url, {}, b"{}", never, whose="b1")
        assert receiver.got == []


async def test_a_buyer_cannot_find_out_which_names_lead_inside() -> None:
    """A name that leads inside, one that leads nowhere, and one where nothing listens: all the same."""
    addresses = {"inside.example": ["10.0.0.1"], "closed.example": ["127.0.0.1"]}

    async def lookup(host: str, _: int) -> list[str]:
        if host not in addresses:
            raise OSError("no such name")
        return addresses[host]

    receivers = Receivers(lookup=lookup, allows_loopback=True, timeout_s=5)
    said: set[str] = set()
    for host in ("inside.example", "closed.example", "absent.example", "10.0.0.1"):
        with pytest.raises(NotSent) as refused:
            await sent(receivers, f"http://{host}:1/")
        said.add(str(refused.value))
    assert said == {"it cannot be reached at a public address"}


async def test_a_span_tells_the_host_and_never_the_path(spans: InMemorySpanExporter) -> None:
    async with a_receiver() as receiver:
        await sent(Receivers(allows_loopback=True), f"{receiver.url}?token=geheim")
    (span,) = [each for each in spans.get_finished_spans() if each.name == "POST webhook"]
    assert span.attributes is not None
    assert dict(span.attributes)["http.response.status_code"] == 204
    assert "geheim" not in span.to_json()
    assert "/hook" not in span.to_json()


def test_a_key_does_not_show_itself() -> None:
    key = Key(Scheme.V1, "c2VjcmV0")
    assert "c2VjcmV0" not in f"{key!r} {key}"


async def sent(receivers: Receivers, url: str, whose: str = "b1") -> None:
    await receivers.send(url, {"webhook-id": "m1"}, b"{}", unguarded, whose=whose)

"""A read log verifies offline, and none verifies that is not every byte and page what was written and signed."""

import io
import sys
from datetime import datetime, timedelta

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contracts.ledger import LedgerKey, NotGenuine
from services.access.domain.read_export import LATEST_USE, line_of, verified_log
from services.access.domain.reading import Head, Page, Tail, spelt, tail_of
from services.runtime.identity import new_signing_key
from tests.access.entries import KEY, NEXT_KEY, NOW, STRANGER, bent_copies
from tests.access.logs import a_head, a_log, a_page, a_read, an_export, announcements

PAGES, TAIL = a_log(KEY, KEY, NEXT_KEY)
HEAD = a_head(TAIL)
LINES = an_export(PAGES, HEAD)


def is_genuine(content: bytes) -> bool:
    try:
        verified_log(iter(io.BytesIO(content).readline, b""))
    except NotGenuine:
        return False
    return True


def test_a_genuine_log_tells_its_anchor_and_its_head() -> None:
    found = verified_log(LINES, anchor=KEY.id)
    assert (found.anchor, found.keys, found.head) == (KEY.id, 2, HEAD)
    assert (HEAD.factory_id, HEAD.pages, HEAD.reads) == ("f1", 3, 4)


def test_an_empty_log_has_a_head_too() -> None:
    assert verified_log(an_export([], a_head(Tail("f1")))).head.pages == 0


@pytest.mark.timeout(180)
def test_a_change_of_any_byte_is_rejected() -> None:
    content = b"".join(LINES)
    assert is_genuine(content)
    for where, bent in bent_copies(content):
        assert not is_genuine(bent), where


KEYS, BODY, END = LINES[:2], LINES[2:5], LINES[5:]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        BODY,
        [*KEYS, *END],
        [*KEYS, *BODY],
        [*KEYS, *BODY[:-1]],
        [*KEYS, *BODY[:-1], *END],
        [*KEYS, *BODY[1:], *END],
        [*KEYS, BODY[0], BODY[2], *END],
        [*KEYS, BODY[1], BODY[0], BODY[2], *END],
        [*KEYS, BODY[0], *BODY, *END],
        [*KEYS, *BODY, *END, *END],
        [*KEYS, *END, *BODY],
        [KEYS[0], *BODY, *END],
        [KEYS[0], *BODY, KEYS[1], *END],
        [KEYS[1], KEYS[0], *BODY, *END],
        [*KEYS, *BODY, END[0][:-1]],
        [*KEYS, *BODY, *END, b"\n"],
        [*KEYS, BODY[0] + BODY[1], BODY[2], *END],
    ],
    ids=[
        "nothing",
        "no key and no head",
        "no page",
        "no head",
        "the end cut off",
        "the last page removed",
        "the first page removed",
        "a page removed",
        "pages swapped",
        "a page doubled",
        "the head doubled",
        "the head first",
        "a key left out",
        "a key announced late",
        "keys swapped",
        "the last line cut",
        "a blank line",
        "lines joined",
    ],
)
def test_a_log_with_a_line_removed_doubled_or_moved_is_rejected(lines: list[bytes]) -> None:
    with pytest.raises(NotGenuine):
        verified_log(lines)


def test_an_older_export_shows_against_what_was_noted() -> None:
    pages, tail = PAGES[:2], tail_of(PAGES[1])
    older = an_export(pages, a_head(tail))
    assert verified_log(older).head.pages == 2
    assert verified_log(LINES, noted={2: PAGES[1].hash, 3: PAGES[2].hash}, earlier=a_head(tail)).head == HEAD
    with pytest.raises(NotGenuine, match="cut off"):
        verified_log(older, noted={3: PAGES[2].hash})
    with pytest.raises(NotGenuine, match="cut off"):
        verified_log(older, earlier=HEAD)
    with pytest.raises(NotGenuine, match="noted"):
        verified_log(LINES, noted={2: "0" * 64})
    with pytest.raises(NotGenuine, match="noted"):
        verified_log(LINES, noted={3: "0" * 64}, earlier=HEAD)


def test_a_rewritten_log_shows_against_what_was_noted() -> None:
    page = a_page(tail_of(PAGES[1]), a_read("another"), key=NEXT_KEY)
    rewritten = an_export([*PAGES[:2], page], a_head(tail_of(page)))
    assert verified_log(rewritten).head.pages == 3
    with pytest.raises(NotGenuine, match="noted"):
        verified_log(rewritten, earlier=HEAD)


def test_a_page_that_was_signed_on_another_history_does_not_continue_this_one() -> None:
    other = a_page(tail_of(PAGES[0]), a_read("another"), a_read("read-3"))
    page = a_page(tail_of(other), key=NEXT_KEY)
    assert verified_log(an_export([PAGES[0], other, page], a_head(tail_of(page)))).head.pages == 3
    with pytest.raises(NotGenuine, match="does not continue"):
        verified_log(an_export([*PAGES[:2], page], a_head(tail_of(page))))


@pytest.mark.parametrize(
    "earlier",
    [
        msgspec.structs.replace(HEAD, signature="0" * 128),
        a_head(TAIL, STRANGER),
        a_head(msgspec.structs.replace(TAIL, factory_id="f2")),
        a_head(Tail("f2")),
    ],
    ids=["no signature", "a stranger", "another factory", "another factory without reads"],
)
def test_a_noted_head_that_was_not_told_by_this_programme_is_rejected(earlier: Head) -> None:
    with pytest.raises(NotGenuine):
        verified_log(LINES, earlier=earlier)


def test_the_log_of_another_factory_does_not_pass_for_this_one() -> None:
    page = a_page(msgspec.structs.replace(tail_of(PAGES[1]), factory_id="f2"), key=NEXT_KEY)
    with pytest.raises(NotGenuine):
        verified_log(an_export([*PAGES[:2], page], a_head(tail_of(page))))
    with pytest.raises(NotGenuine, match="head"):
        verified_log(an_export(PAGES, a_head(msgspec.structs.replace(TAIL, factory_id="f2"))))


@pytest.mark.parametrize(
    "wrong",
    [
        a_head(msgspec.structs.replace(TAIL, number=4)),
        a_head(msgspec.structs.replace(TAIL, last=5)),
        a_head(msgspec.structs.replace(TAIL, hash="0" * 64)),
        a_head(TAIL, STRANGER),
        a_head(TAIL, KEY),
        msgspec.structs.replace(HEAD, key_id=KEY.id),
    ],
    ids=["pages", "reads", "hash", "a stranger", "a replaced key", "the name of another key"],
)
def test_a_head_that_is_not_that_of_the_log_is_rejected(wrong: Head) -> None:
    with pytest.raises(NotGenuine):
        verified_log(an_export(PAGES, wrong))


@pytest.mark.parametrize("key", [STRANGER, KEY], ids=["a stranger", "a replaced key"])
def test_pages_of_a_key_that_is_not_valid_are_rejected(key: LedgerKey) -> None:
    page = a_page(TAIL, key=key)
    lines = an_export([*PAGES, page], a_head(tail_of(page)))
    with pytest.raises(NotGenuine, match="not announced, or was replaced"):
        verified_log(lines)
    # The name of the valid key does not help without its signature.
    named = msgspec.structs.replace(page, key_id=NEXT_KEY.id)
    with pytest.raises(NotGenuine):
        verified_log(an_export([*PAGES, named], a_head(tail_of(named))))


def a_forgery(at: datetime) -> Page:
    """The first page of a log, signed by the key that was replaced at ``NOW``."""
    return Tail("f1").next("batch", PAGES[0].reads, at=at, key=KEY)


def test_a_stolen_key_that_was_replaced_makes_no_log_beside_the_announcement_of_its_successor() -> None:
    page = a_forgery(NOW)
    with pytest.raises(NotGenuine, match="The head is signed by a key that was not announced, or was replaced"):
        verified_log(an_export([page], a_head(tail_of(page), KEY)))


@pytest.mark.parametrize(("late", "is_believed"), [(LATEST_USE, True), (timedelta(days=300), False)])
def test_no_page_of_a_key_is_later_than_the_announcement_of_its_successor(late: timedelta, is_believed: bool) -> None:  # noqa: FBT001
    page = a_forgery(NOW + late)
    content = b"".join(an_export([page], a_head(tail_of(page))))
    assert is_genuine(content) is is_believed


def test_that_the_announcement_of_a_later_key_was_left_out_shows_against_the_key_that_is_valid_now() -> None:
    page = a_forgery(NOW + timedelta(days=300))
    forged = an_export([page], a_head(tail_of(page), KEY), announcements()[:1])
    assert verified_log(forged, anchor=KEY.id).head.reads == 1
    with pytest.raises(NotGenuine, match="valid now"):
        verified_log(forged, anchor=KEY.id, key=NEXT_KEY.id)
    assert verified_log(LINES, key=NEXT_KEY.id).head == HEAD


def test_a_page_without_reads_is_rejected() -> None:
    page = TAIL.next("batch", (), at=PAGES[0].recorded_at, key=NEXT_KEY)
    with pytest.raises(NotGenuine):
        verified_log(an_export([*PAGES, page], a_head(tail_of(page))))


def test_what_announces_no_key_is_no_key() -> None:
    entries = announcements()
    lines = an_export(PAGES, HEAD, entries)
    bent = msgspec.json.decode(lines[0])
    bent["key"]["epoch"] = 2**60  # beyond what canonical JSON can say
    with pytest.raises(NotGenuine):
        verified_log([spelt(bent) + b"\n", *lines[1:]])


@pytest.mark.parametrize("anchor", [STRANGER.id, NEXT_KEY.id, "?"], ids=["strange", "later", "none"])
def test_another_first_key_than_the_trusted_one_is_rejected(anchor: str) -> None:
    with pytest.raises(NotGenuine, match="another key"):
        verified_log(LINES, anchor=anchor)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "aa", "_"]), st.text() | st.integers(1 - 2**53, 2**53 - 1) | st.none())
)
def test_the_spelling_is_that_of_rfc_8785(content: dict[str, object]) -> None:
    assert spelt(content) == rfc8785.dumps(content)  # type: ignore[arg-type]


def test_the_spelling_of_every_character_is_that_of_rfc_8785() -> None:
    every = "".join(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    assert spelt({"a": every}) == rfc8785.dumps({"a": every})


@pytest.mark.parametrize("content", [*PAGES, HEAD])
def test_a_line_reads_back_as_it_was_signed(content: Page | Head) -> None:
    told = msgspec.json.decode(line_of(content))
    assert msgspec.convert(next(iter(told.values())), type(content)) == content


def a_liar() -> LedgerKey:
    """A stranger's key that calls itself by the name of the valid one."""
    liar = LedgerKey(new_signing_key())
    liar.id = NEXT_KEY.id
    return liar


def test_a_page_that_somebody_else_signed_in_the_name_of_the_key_is_rejected() -> None:
    page = a_page(TAIL, key=a_liar())
    with pytest.raises(NotGenuine, match="signature of page 4"):
        verified_log(an_export([*PAGES, page], a_head(tail_of(page))))


def test_a_head_that_somebody_else_signed_in_the_name_of_the_key_is_rejected() -> None:
    with pytest.raises(NotGenuine, match="signature of the head"):
        verified_log(an_export(PAGES, a_head(TAIL, a_liar())))


def test_a_read_that_was_changed_in_its_place_is_rejected() -> None:
    read = msgspec.structs.replace(PAGES[2].reads[0], buyer_id="b2")
    page = msgspec.structs.replace(PAGES[2], reads=(read,))
    with pytest.raises(NotGenuine, match="does not match its hash"):
        verified_log(an_export([*PAGES[:2], page], HEAD))

"""Buyers who read: what they are shown while every approval is withdrawn for certain is a fault."""

from collections.abc import Sequence

from deploy.demo.people import buyer_id, factory_id
from tests.crash.persistence import Line


async def read_one(line: Line, buyer: int, factory: str, report_id: str) -> None:
    """Read one report as a buyer."""
    journal = line.journal
    turn = journal.closed_turn(factory, buyer_id(buyer))
    answer = await line.ask(f"buyer-{buyer}", "GET", f"/reports/{report_id}")
    if answer.status == 200:
        journal.granted_reads += 1
        if turn is not None and turn == journal.closed_turn(factory, buyer_id(buyer)):
            journal.fault(f"buyer-{buyer} read {report_id} after every grant was revoked")
    elif answer.status == 404:
        journal.refused_reads += 1
    else:
        journal.fault(f"buyer-{buyer} was answered {answer.status} for {report_id}")


async def read_list(line: Line, buyer: int, factories: Sequence[int]) -> None:
    """Read the list of reports as a buyer: what a read refuses, it must not show."""
    journal = line.journal
    turns = {n: journal.closed_turn(factory_id(n), buyer_id(buyer)) for n in factories}
    page = await line.expect(200, f"buyer-{buyer}", "GET", "/reports?limit=200")
    listed = {item["factory_id"] for item in page["items"]}
    for n, turn in turns.items():
        is_still = turn is not None and turn == journal.closed_turn(factory_id(n), buyer_id(buyer))
        if is_still and factory_id(n) in listed:
            journal.fault(f"buyer-{buyer} saw factory {n} on a list after every grant was revoked")

"""Results that leave a country and enter an empty one are the same results."""

import itertools
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.assessment.app import make_service
from tests.assessment.importing import a_result, complete, exported, imported
from tests.assessment.samples import (
    with_factories,
    with_questionnaire,
)
from tests.support.services import running_service

FACTS = st.fixed_dictionaries(
    {},
    optional={
        "workers": st.integers(0, 99).map(str),
        "dormitory": st.sampled_from(["yes", "no"]),
        "hours": st.sampled_from(["-1.5", "0", "40"]),
        "union_share": st.sampled_from(["0", "99.5"]),
        "lowest_wage": st.just("290.5 JOD"),
        "opened_on": st.just("2001-01-31"),
        "products": st.sampled_from(["NA", "'NA", "'=x", "''@", "a,b", 'say "x"', "two\r\nlines", "e\u0301", " x "]),
        "size": st.just("small"),
        "steps": st.just("cutting sewing"),
        "apprentices": st.just("women=1 men=2"),
    },
)
RATED = st.fixed_dictionaries(
    {"exits_open": st.sampled_from(["0", "1"])},
    optional={"exits_locked": st.sampled_from(["0", "1"]), "beds": st.sampled_from(["0", "1", "NA"])},
)
VISITS = st.lists(
    st.tuples(RATED, FACTS, st.sampled_from(["", "scope:short"])),
    min_size=1,
    max_size=4,
)
_folders = itertools.count()


async def moved(folder: Path, rows: list[list[str]]) -> list[list[str]]:
    """Import rows into an empty deployment and export them again."""
    async with running_service(make_service, folder / str(next(_folders))) as running:
        await with_factories(running, 4)
        await with_questionnaire(running)
        answer = await imported(running, *rows)
        assert answer["rejected"] == []
        await complete(running, answer["id"])
        return (await exported(running))[1:]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VISITS)
async def test_export_and_import_into_an_empty_deployment_lose_nothing(
    visits: list[tuple[dict[str, str], dict[str, str], str]],
) -> None:
    rows = [
        a_result(question, finding, tags=tags, **{"Factory id": f"OLD-{n}", "Quest id": f"Q{n}"})
        for n, (rated, facts, tags) in enumerate(visits, start=1)
        for question, finding in {**rated, **facts}.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        once = await moved(Path(folder), rows)
        assert await moved(Path(folder), once) == once
    key = {(row[3], row[8]): (row[11], row[12]) for row in once}
    for row in rows:
        assert key[row[3], row[8]] == (row[11], row[12])

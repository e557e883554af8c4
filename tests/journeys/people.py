"""The people of the journeys: the demo staff, and enough factories and buyers for every test to have its own."""

from typing import Final

from contracts.identifiers import derived_id
from contracts.identity import Role
from deploy.demo.people import PEOPLE, Person

MOST_OF_A_KIND: Final = 300


def _parties(word: str, role: Role) -> tuple[Person, ...]:
    return tuple(
        Person(f"{word}-{n}", f"{word.title()} {n}", (role,), derived_id("journeys", word, str(n)))
        for n in range(1, MOST_OF_A_KIND + 1)
    )


MAKERS: Final = _parties("maker", Role.FACTORY)
BRANDS: Final = _parties("brand", Role.BUYER)
OWNERS: Final = _parties("owner", Role.GROUP)
DIRECTORIES: Final = tuple(
    Person(f"directory-of-{brand.user}", f"Directory of {brand.name}", (Role.BUYER_PROVISIONER,), brand.party_id)
    for brand in BRANDS
)
"""The machine of each buyer that keeps its staff."""
ONLY: Final = {role: Person(f"only-{role}", f"Only {role}", (role,)) for role in Role}
"""For each role somebody who holds it and no other, and speaks for no party."""

EVERYBODY: Final = (*PEOPLE, *MAKERS, *BRANDS, *OWNERS, *DIRECTORIES, *ONLY.values())
PERSON_BY_USER: Final = {person.user: person for person in EVERYBODY}

"""Three cycles of results for the demo factories, from a fixed seed, as the long CSV that a country would have."""

import csv
import random
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from deploy.demo.people import COUNTRY, FACTORIES
from deploy.demo.register import original_id
from services.assessment.domain.results import COLUMNS

SEED: Final = 20_260_101
CYCLES: Final = 3
FIRST_YEAR: Final = 2023

POINT_RATES: Final[Mapping[str, float]] = {
    "child_labourers": 0.01,
    "young_workers": 0.12,
    "hazardous_work": 0.03,
    "gender": 0.08,
    "other_grounds": 0.35,
    "race_and_origin": 0.10,
    "religion_and_politics": 0.01,
    "bonded_labour": 0.06,
    "coercion": 0.05,
    "forced_overtime": 0.02,
    "prison_labour": 0.0,
    "freedom_to_associate": 0.12,
    "union_operations": 0.08,
    "interference": 0.05,
    "collective_bargaining": 0.30,
    "strikes": 0.01,
    "minimum_wages": 0.10,
    "overtime_wages": 0.28,
    "premium_pay": 0.15,
    "method_of_payment": 0.12,
    "paid_leave": 0.30,
    "social_security": 0.40,
    "wage_information": 0.30,
    "employment_contracts": 0.45,
    "contracting_procedures": 0.25,
    "dialogue_and_discipline": 0.35,
    "termination": 0.20,
    "osh_management": 0.65,
    "chemicals": 0.65,
    "worker_protection": 0.70,
    "working_environment": 0.50,
    "health_services": 0.70,
    "welfare_facilities": 0.55,
    "worker_accommodation": 0.45,
    "emergency_preparedness": 0.70,
    "regular_hours": 0.35,
    "overtime": 0.60,
    "leave": 0.15,
}
"""The share of factories with a finding in the first cycle, in the order of magnitude of published annual reports."""

IMPROVEMENT: Final = 0.85
"""What is left of a rate from one cycle to the next."""


def write_results(
    path: Path, questionnaire: Mapping[str, Any], *, factories: int = FACTORIES, cycles: int = CYCLES
) -> int:
    """Write the results of every factory and cycle; the same seed gives the same bytes. Returns the row count."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for cycle in range(1, cycles + 1):
            for number in range(1, factories + 1):
                for row in assessment(number, cycle, questionnaire):
                    writer.writerow(row)
                    rows += 1
    return rows


def assessment(number: int, cycle: int, questionnaire: Mapping[str, Any]) -> Iterator[list[str]]:
    """The rows of one assessment, decided by its own seed so that factories do not depend on one another."""
    chance = random.Random(f"{SEED}/{number}/{cycle}")  # noqa: S311 - demo data, repeatable on purpose
    character = random.Random(f"{SEED}/{number}").uniform(0.5, 1.5)  # noqa: S311 - same
    visited = date(FIRST_YEAR + cycle - 1, 1, 10) + timedelta(days=5 * number % 330)
    form = questionnaire["form"]
    head = [
        COUNTRY,
        original_id(number),
        str(cycle),
        f"Q{cycle}{number:03}",
        visited.isoformat(),
        questionnaire["tq_name"],
    ]
    per_point: dict[str, int] = {}
    for question in form["questions"]:
        per_point[question.get("compliance_point") or ""] = per_point.get(question.get("compliance_point") or "", 0) + 1
    facts = _profile(form["questions"], chance, visited)
    for question in form["questions"]:
        point = question.get("compliance_point")
        if point:
            rate = min(0.95, POINT_RATES[point] * character * IMPROVEMENT ** (cycle - 1))
            finding = _finding(question, 1 - (1 - rate) ** (1 / per_point[point]), chance, facts)
        else:
            finding = facts.get(question["id"], "")
        if finding:
            kind = "NCQ" if point else "FGW"
            label = question["texts"]["en"]
            tags = " ".join(question.get("tags", ()))
            yield [*head, question["cluster"], point or "", question["id"], label, kind, tags, finding]


def _finding(question: Mapping[str, Any], rate: float, chance: random.Random, facts: Mapping[str, str]) -> str:
    """1 for a finding, 0 for none, NA where the question is not asked of this factory."""
    condition = question.get("asked_when")
    if condition and facts.get(condition["question_id"], "no") in {"no", "0"}:
        return "NA"
    return "1" if chance.random() < rate else "0"


def _profile(questions: list[Mapping[str, Any]], chance: random.Random, visited: date) -> dict[str, str]:
    """The typed facts of one factory."""
    return {q["id"]: _fact(q, chance, visited) for q in questions if not q.get("compliance_point")}


def _fact(question: Mapping[str, Any], chance: random.Random, visited: date) -> str:
    """A plausible value of the question's type; empty for free text, which the demo leaves open."""
    workers = chance.randint(120, 2_400)
    women = round(workers * chance.uniform(0.6, 0.85))
    names = [str(choice["name"]) for choice in question.get("choices", ())] or [""]
    values = {
        "integer": str(chance.randint(1, 40)),
        "decimal": f"{chance.uniform(1, 9):.1f}",
        "percent": f"{chance.uniform(2, 80):.1f}",
        "money": f"{chance.uniform(220, 320):.2f}",
        "date": f"{visited - timedelta(days=chance.randint(200, 5_000))}",
        "yes_no": chance.choice(("yes", "no")),
        "choice": chance.choice(names),
        "choices": " ".join(sorted(chance.sample(names, k=min(2, len(names))))),
        "by_sex": f"women={women} men={workers - women}",
    }
    return values.get(question["answer_type"], "")

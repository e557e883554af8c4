"""The words of the field that every service shares: clusters, compliance points, and the states of an answer.

Clusters and compliance points are the same in every country; questions belong to a country.
The codes below appear in questionnaires, events, API bodies and screens, so they are never renamed.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Outcome(StrEnum):
    """What an assessment says of one non-compliance question."""

    COMPLIANT = "compliant"
    NON_COMPLIANT = "non_compliant"
    NOT_APPLICABLE = "not_applicable"
    NOT_ASSESSED = "not_assessed"

    @property
    def counts(self) -> bool:
        """Whether the outcome belongs in the denominator of a rate."""
        return self in {Outcome.COMPLIANT, Outcome.NON_COMPLIANT}


class QuestionKind(StrEnum):
    """Whether a question is judged (and counts in rates) or only gathers a fact."""

    NON_COMPLIANCE = "non_compliance"
    FACT = "fact"


class Polarity(StrEnum):
    """Which answer to a yes/no question means that the factory does not comply."""

    YES_IS_NON_COMPLIANT = "yes_is_non_compliant"
    NO_IS_NON_COMPLIANT = "no_is_non_compliant"


class Basis(StrEnum):
    """What a question is measured against."""

    ILO = "ilo"
    NATIONAL_LAW = "national_law"
    GOOD_PRACTICE = "good_practice"


class AnswerType(StrEnum):
    """The type of a question's value: facts are typed so that nobody has to clean "1,200" afterwards."""

    YES_NO = "yes_no"
    INTEGER = "integer"
    DECIMAL = "decimal"
    PERCENT = "percent"
    MONEY = "money"
    DATE = "date"
    TEXT = "text"
    CHOICE = "choice"
    CHOICES = "choices"
    BY_SEX = "by_sex"


class ReportKind(StrEnum):
    """The sections of what a factory can share, each by its own consent; a grant names those that it covers.

    ``assessment`` are the findings, ``improvement_plan`` what is planned, ``progress`` how far it is, and
    ``quality_productivity`` business figures, which are only ever shared by a consent of their own.
    """

    ASSESSMENT = "assessment"
    IMPROVEMENT_PLAN = "improvement_plan"
    PROGRESS = "progress"
    QUALITY_PRODUCTIVITY = "quality_productivity"


COMPLIANCE_KINDS: Final = (ReportKind.ASSESSMENT, ReportKind.IMPROVEMENT_PLAN, ReportKind.PROGRESS)
"""What a grant covers unless it says otherwise."""


class Cluster(NamedTuple):
    """One of the eight rated clusters, or a section that is only recorded (``is_rated`` false)."""

    code: str
    name: str
    is_rated: bool = True


class CompliancePoint(NamedTuple):
    """One of the compliance points of a rated cluster."""

    code: str
    cluster: str
    name: str


CLUSTERS: Final = (
    Cluster("child_labour", "Child labour"),
    Cluster("discrimination", "Discrimination"),
    Cluster("forced_labour", "Forced labour"),
    Cluster("freedom_of_association", "Freedom of association and collective bargaining"),
    Cluster("compensation", "Compensation"),
    Cluster("contracts", "Contracts and human resources"),
    Cluster("osh", "Occupational safety and health"),
    Cluster("working_time", "Working time"),
    Cluster("key_strengths", "Key strengths and process integrity", is_rated=False),
    Cluster("learning", "Learning", is_rated=False),
    Cluster("systems", "Systems", is_rated=False),
    Cluster("supplier_information", "Supplier information", is_rated=False),
)

COMPLIANCE_POINTS: Final = tuple(
    CompliancePoint(*row)
    for row in (
        ("child_labourers", "child_labour", "Child labourers"),
        ("young_workers", "child_labour", "Documentation and protection of young workers"),
        ("hazardous_work", "child_labour", "Hazardous work and other worst forms"),
        ("gender", "discrimination", "Gender"),
        ("other_grounds", "discrimination", "Other grounds"),
        ("race_and_origin", "discrimination", "Race and origin"),
        ("religion_and_politics", "discrimination", "Religion and political opinion"),
        ("bonded_labour", "forced_labour", "Bonded labour"),
        ("coercion", "forced_labour", "Coercion"),
        ("forced_overtime", "forced_labour", "Forced labour and overtime"),
        ("prison_labour", "forced_labour", "Prison labour"),
        ("freedom_to_associate", "freedom_of_association", "Freedom to associate"),
        ("union_operations", "freedom_of_association", "Union operations"),
        ("interference", "freedom_of_association", "Interference and discrimination"),
        ("collective_bargaining", "freedom_of_association", "Collective bargaining"),
        ("strikes", "freedom_of_association", "Strikes"),
        ("minimum_wages", "compensation", "Minimum wages and piece rate wages"),
        ("overtime_wages", "compensation", "Overtime wages"),
        ("premium_pay", "compensation", "Premium pay"),
        ("method_of_payment", "compensation", "Method of payment"),
        ("paid_leave", "compensation", "Paid leave"),
        ("social_security", "compensation", "Social security and other benefits"),
        ("wage_information", "compensation", "Wage information, use and deduction"),
        ("employment_contracts", "contracts", "Employment contracts"),
        ("contracting_procedures", "contracts", "Contracting procedures"),
        ("dialogue_and_discipline", "contracts", "Dialogue, discipline and disputes"),
        ("termination", "contracts", "Termination"),
        ("osh_management", "osh", "OSH management systems"),
        ("chemicals", "osh", "Chemicals and hazardous substances"),
        ("worker_protection", "osh", "Worker protection"),
        ("working_environment", "osh", "Working environment"),
        ("health_services", "osh", "Health services and first aid"),
        ("welfare_facilities", "osh", "Welfare facilities"),
        ("worker_accommodation", "osh", "Worker accommodation"),
        ("emergency_preparedness", "osh", "Emergency preparedness"),
        ("regular_hours", "working_time", "Regular hours"),
        ("overtime", "working_time", "Overtime"),
        ("leave", "working_time", "Leave"),
    )
)

CLUSTER_BY_CODE: Final = {cluster.code: cluster for cluster in CLUSTERS}
POINT_BY_CODE: Final = {point.code: point for point in COMPLIANCE_POINTS}

"""The stages of a questionnaire and of a visit."""

from enum import StrEnum


class QuestionnaireStage(StrEnum):
    """How far a version of a questionnaire has come."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class VisitStage(StrEnum):
    """How far a visit has come."""

    SCHEDULED = "scheduled"
    UNDER_WAY = "under_way"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    FINALISED = "finalised"
    CANCELLED = "cancelled"

"""The HTTP routes of the assessment service, under ``/api/v1``."""

from litestar import Router

from services.assessment.api.evidence import add, file
from services.assessment.api.questionnaires import ROUTES as QUESTIONNAIRE_ROUTES
from services.assessment.api.results import ROUTES as RESULT_ROUTES
from services.assessment.api.visits import ROUTES as VISIT_ROUTES

ROUTES = [Router(path="/api/v1", route_handlers=[*QUESTIONNAIRE_ROUTES, *VISIT_ROUTES, add, file, *RESULT_ROUTES])]

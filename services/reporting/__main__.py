"""``python -m services.reporting``."""

from services.reporting.app import make_service
from services.runtime.service import run

run("reporting", make_service)

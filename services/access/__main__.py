"""``python -m services.access``."""

from services.access.app import make_service
from services.runtime.service import run

run("access", make_service)

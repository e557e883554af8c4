"""``python -m services.remediation``."""

from services.remediation.app import make_service
from services.runtime.service import run

run("remediation", make_service)

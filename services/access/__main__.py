"""``python -m services.access``."""

from services.access.app import make_process
from services.runtime.service import run

run("access", make_process)

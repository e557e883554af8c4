"""``python -m services.training``."""

from services.runtime.service import run
from services.training.app import make_service

run("training", make_service)

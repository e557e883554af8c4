"""The process of the deployed assessment service: ``python -m services.assessment``."""

from services.assessment.app import make_service
from services.runtime.service import run

if __name__ == "__main__":
    run("assessment", make_service)

"""Run a command with PostgreSQL and Redis of its own: ``python -m tests.with_production_services pytest tests``."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.services import ServiceMissing, running_postgresql, running_redis


def main(command: list[str]) -> int:
    """Exit status of the command; 1 with words where a service is missing."""
    try:
        with running_postgresql() as database, running_redis() as broker:
            services = {"DATABASE_URL": f"{database}/postgres", "CELERY_BROKER_URL": broker}
            return subprocess.run(command, env=os.environ | services).returncode
    except ServiceMissing as missing:
        sys.stderr.write(f"{missing}: see tests/system_packages.sh\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`isthmus worker`: become a worker process."""

import os
import sys
from typing import NoReturn

from app.settings import get_settings


def run_worker(install: bool = False) -> NoReturn:
    """Replace this process by `python -m workers`; the server never imports the workers' code."""
    places = get_settings().places
    if not (places.database_url and places.redis_url):
        sys.exit(
            "A worker needs DATABASE_URL and REDIS_URL. `isthmus dev` starts one with its own."
        )
    arguments = ["--install"] if install else []
    os.execv(sys.executable, [sys.executable, "-m", "workers", *arguments])

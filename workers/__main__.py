"""`python -m workers`: a worker as a process of its own."""

import asyncio
import sys

from app.core.telemetry import configure
from app.settings import get_settings
from workers.main import work

if __name__ == "__main__":
    configure(get_settings().places.log_level)
    sys.exit(asyncio.run(work(get_settings(), install="--install" in sys.argv[1:])))

"""`python -m workers`: a worker as a process of its own."""

import asyncio
import gc
import sys

# What is imported is never garbage, and looking for some is a tenth of the time to start.
gc.set_threshold(10_000, 20, 20)

from app.core.telemetry import configure
from app.settings import get_settings
from workers.main import work

if __name__ == "__main__":
    gc.freeze()
    configure(get_settings().places.log_level)
    sys.exit(asyncio.run(work(get_settings(), install="--install" in sys.argv[1:])))

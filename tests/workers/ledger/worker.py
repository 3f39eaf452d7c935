"""A real worker process that also knows the kinds of the tests."""

import asyncio
import sys

from app.settings import get_settings
from tests.workers.ledger.kinds import install
from workers.main import work

if __name__ == "__main__":
    install()
    sys.exit(asyncio.run(work(get_settings())))

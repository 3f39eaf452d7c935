"""Accepts a run for each line of its input and answers with its id, as the API does over HTTP.

While the database is away it does not answer until it is back.
"""

import asyncio
import json
import os
import sys

from app.core import db, outbox
from app.core.rules import SYSTEM
from app.runs.actions import accept


async def main() -> None:
    """Serve until the input ends."""
    db.connect(os.environ["DATABASE_URL"])
    outbox.connect(os.environ["REDIS_URL"], die_before_push="TEST_DIE_BEFORE_PUSH" in os.environ)
    while line := await asyncio.to_thread(sys.stdin.readline):
        number = json.loads(line)["number"]
        answer = json.dumps({"run_id": await trigger(f"{os.getpid()}-{number}")})
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


async def trigger(key: str) -> str:
    """One run of kind mixed; the key makes the repetition safe."""
    while True:
        try:
            async with db.transaction(SYSTEM) as tx:
                accepted = await accept(
                    tx, project_id=1, kind="mixed", idempotency_key=key, idempotency_body=b""
                )
            return str(accepted.run_id)
        except Exception as error:
            if not db.is_transient(error):
                raise
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())

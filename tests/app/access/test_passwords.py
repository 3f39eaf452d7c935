"""How passwords are hashed outside of tests, where that is made cheap."""

import subprocess
import sys

SCRIPT = """
import asyncio
from app.access import passwords
stored = asyncio.run(passwords.hashed("right password"))
right, wrong = "right password", "wrong password"
print(stored)
print(asyncio.run(passwords.matches(right, stored)), asyncio.run(passwords.matches(wrong, stored)))
"""


def test_a_hash_costs_what_owasp_asks_at_least() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    stored, outcome = done.stdout.splitlines()
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert outcome == "True False"

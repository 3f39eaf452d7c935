"""Starts embedded servers as a process of its own: `launcher.py HOME [USER]`.

Prints one line of JSON when they run (or the error), and stops them when its input ends.
"""

import json
import os
import pwd
import sys
from dataclasses import asdict
from pathlib import Path

from app.embedded import EmbeddedError, EmbeddedServers

if len(sys.argv) > 2:
    # Switched here, not by whoever starts us: the interpreter may be in root's own folder.
    entry = pwd.getpwnam(sys.argv[2])
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)

servers = EmbeddedServers(Path(sys.argv[1]))
try:
    urls = servers.start()
except EmbeddedError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(1)
pids = {"postgres": servers.postgres.pid, "valkey": servers.valkey.pid}
print(json.dumps({**asdict(urls), **pids}), flush=True)
sys.stdin.read()
servers.stop()

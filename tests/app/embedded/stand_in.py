"""Stands in for the command `isthmus` under the supervisor: `stand_in.py migrate|serve|worker`.

Each command notes its process id and environment in `<ISTHMUS_HOME>/<command>.json`.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Ready(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def stop(number: int, frame: object) -> None:
    """Note the orderly end."""
    (home / f"{command}.stopped").touch()
    sys.exit(0)


home = Path(os.environ["ISTHMUS_HOME"])
command = sys.argv[1]
note = {"pid": os.getpid(), "environ": dict(os.environ), "arguments": sys.argv[2:]}
aside = home / f"{command}.new"
aside.write_text(json.dumps(note))
aside.rename(home / f"{command}.json")
if command == "migrate":
    sys.exit(int(os.environ.get("MIGRATE_STATUS", "0")))
signal.signal(signal.SIGTERM, stop)
if command == "serve":
    HTTPServer((sys.argv[3], int(sys.argv[5])), Ready).serve_forever()
while True:
    time.sleep(60)

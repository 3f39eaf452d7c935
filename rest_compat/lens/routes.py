"""Every path of the REST API of Lens and Cube, and what is behind it."""

import re
from pathlib import Path
from typing import Any

from app.settings import Settings
from rest_compat.dialect import Call, Dialect, Route
from rest_compat.lens import auth, faults
from rest_compat.lens import questions as q
from rest_compat.lens.described import DESCRIBED

PREFIXES = ("/v2", "/lens2/api/{lens}/v2")
OF_THE_SERVER = re.compile(r"(/lens2/api/[^/]+)?/v2/graphql/?|/v2/uploads|/v2/files/[^/]+")
SLACK_S = 10.0


# fmt: off
def _below(prefix: str, wait_s: float) -> tuple[Route, ...]:
    return (
        Route("GET", f"{prefix}/meta", "Meta", q.about, _told),
        *(Route(m, f"{prefix}/load", "Load", q.typed_question, q.answered, timeout_s=wait_s + SLACK_S) for m in ("GET", "POST")),
        *(Route(m, f"{prefix}/sql", "Sql", q.question, _told) for m in ("GET", "POST")),
        *(Route(m, f"{prefix}/dry-run", "DryRun", q.question, _told) for m in ("GET", "POST")),
    )
# fmt: on


def _told(data: Any, _: Call) -> Any:
    return data["told"]


def dialect(settings: Settings) -> Dialect:
    """Lens's surface, as the settings have it."""
    wait_s = settings.semantic.continue_wait_s
    return Dialect(
        name="lens",
        prefix="",
        documents=Path(__file__).parent / "documents",
        routes=tuple(route for prefix in PREFIXES for route in _below(prefix, wait_s)),
        not_offered=(),
        owns=owns,
        identify=auth.identify_caller,
        faults=faults.answer,
        wrong_method=faults.WRONG_METHOD,
        described=DESCRIBED,
    )


def owns(_: str, path: str) -> bool:
    """What is below /v2 and /lens2/api, apart from GraphQL and files."""
    return path.startswith(("/v2/", "/lens2/api/")) and OF_THE_SERVER.fullmatch(path) is None

"""From a REST request to variables: pipeline runs."""

from collections.abc import Callable
from typing import Any

from rest_compat.dialect import Call
from rest_compat.mage.page import path_number
from rest_compat.mage.variables import an_object, attributes, bearer, by_number


def new_run(call: Call) -> dict[str, Any]:
    """Input of a run of the trigger in the path, started by a signed-in user."""
    given = attributes(call, "pipeline_run")
    made = {
        "of": {"trigger": by_number(call)},
        "variables": an_object(given.get("variables"), "variables"),
        "idempotencyKey": call.headers.get("idempotency-key"),
    }
    return {"input": made}


def token_run(call: Call) -> dict[str, Any]:
    """Input of a run started by a trigger's token, in the path or as bearer.

    Every top-level key but `pipeline_run` is an event variable.
    """
    given = attributes(call, "pipeline_run")
    event = {k: v for k, v in call.body.items() if k not in ("pipeline_run", "api_key")}
    made = {
        "triggerNumber": path_number(call),
        "token": call.path.get("token") or bearer(call) or "",
        "variables": an_object(given.get("variables"), "variables"),
        "eventVariables": event if call.has_body else None,
        "idempotencyKey": call.headers.get("idempotency-key"),
    }
    return {"input": made}


def run_action(action: str) -> Callable[[Call], bool]:
    """Whether the update of a run asks for `cancel` or `retry`."""

    def asked(call: Call) -> bool:
        given = attributes(call, "pipeline_run")
        if action == "cancel":
            return bool(given.get("status") == "cancelled")
        return bool(given.get("pipeline_run_action") == "retry_blocks")

    return asked


def retry(call: Call) -> dict[str, Any]:
    """Which run to retry, and from which block."""
    given = attributes(call, "pipeline_run")
    return {"input": {"by": by_number(call), "fromBlock": given.get("from_block_uuid")}}

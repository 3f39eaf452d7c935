"""What messages say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from workers.notify.message import compose, variables

AT = datetime(2026, 3, 1, 4, 5, 6, 7, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "number": 12,
    "pipeline_uuid": "harbour_calls",
    "trigger_id": 3,
    "trigger_name": "hourly",
    "trigger_description": None,
    "execution_date": AT,
    "sla": 60,
    "status": "failed",
    "reason": None,
    "error": "1 of 2 blocks failed",
    "created_at": AT,
    "started_at": AT,
    "finished_at": AT.replace(minute=6),
    "step": "load_calls",
    "step_error": "KeyError: 'x'",
    "traceback": "Traceback …",
}
URL = "http://h:1/pipelines/harbour_calls/runs/12"


def known(**change: Any) -> dict[str, str]:
    """The variables of the facts with some changed."""
    return variables({**FACTS, **change}, "http://h:1/")


def test_without_a_template_it_says_what_where_and_why() -> None:
    failed = compose("trigger_failure", None, known())
    assert failed.title == "Pipeline harbour_calls has failed"
    assert failed.text == (
        "Run 12 of trigger 3 (hourly) for 2026-03-01 04:05:06 has failed. "
        f"load_calls: KeyError: 'x'\n{URL}"
    )
    done = compose("trigger_success", None, known(status="succeeded", trigger_id=None))
    assert done.text == f"Run 12 for 2026-03-01 04:05:06 took 60.0 s.\n{URL}"
    late = compose("trigger_passed_sla", {}, known(status="running", finished_at=None))
    assert late.title == "Pipeline harbour_calls takes longer than 60 s"


@pytest.mark.parametrize(
    "name",
    [
        *("execution_time", "pipeline_run_url", "pipeline_schedule_id", "pipeline_uuid"),
        *("pipeline_schedule_name", "pipeline_schedule_description", "error", "stacktrace"),
    ],
)
def test_each_documented_variable_is_known(name: str) -> None:
    said = compose("trigger_failure", {"failure": {"details": f"<{{{name}}}>"}}, known())
    assert said.text == f"<{known()[name]}>"


def test_details_replace_the_text_and_a_summary_gets_the_address() -> None:
    templates = {
        "failure": {"title": "{pipeline_uuid}:\n bad", "details": "{error}", "summary": "no"},
        "success": {"summary": "fine {pipeline_run_id}"},
    }
    failed = compose("trigger_failure", templates, known())
    assert (failed.title, failed.text) == ("harbour_calls: bad", "load_calls: KeyError: 'x'")
    done = compose("trigger_success", templates, known(status="succeeded"))
    assert done.title == "Pipeline harbour_calls has succeeded"
    assert done.text == f"fine 12\n{URL}"


def test_error_and_stack_are_of_failures_only() -> None:
    done = known(status="succeeded")
    assert (done["error"], done["stacktrace"]) == ("", "")


@pytest.mark.parametrize("template", ["{x}", "{error.__class__}", "{0}", "{", "{{ env_var('A') }}"])
def test_what_is_no_variable_stays_as_it_is(template: str) -> None:
    assert compose("trigger_failure", {"failure": {"details": template}}, known()).text == template


@pytest.mark.parametrize("templates", [None, [], "x", {"failure": None}, {"failure": {"title": 3}}])
def test_templates_of_a_wrong_shape_are_passed_over(templates: Any) -> None:
    assert compose("trigger_failure", templates, known()).title.endswith("has failed")

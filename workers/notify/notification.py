"""The ledger's kind `notification`: one message about a pipeline run, by one channel."""

from collections.abc import Mapping
from uuid import UUID

from app.core.outgoing import Outgoing
from app.pipelines.alert_config import filled
from app.pipelines.reads import notified_run
from app.runs.fenced import LogLine
from workers.execute import Outcome, RunContext
from workers.notify.channels import CHANNELS, Notice
from workers.notify.failure import NotSent
from workers.notify.message import compose, variables


class Notification:
    """Sends what the run's parameters name: `event`, `channel`, `run_id`.

    The pipeline's `notification_config` is read anew at each attempt, so that a corrected one counts.
    """

    def __init__(self, rules: Outgoing, public_host: str, environ: Mapping[str, str]) -> None:
        """`environ` has the variables that a config may name."""
        self._rules = rules
        self._public_host = public_host
        self._environ = environ

    async def __call__(self, context: RunContext) -> Outcome:
        """Send it; what may succeed later is tried again while attempts last."""
        event, channel = context.params["event"], context.params["channel"]
        facts = await notified_run(UUID(context.params["run_id"]))
        config = facts["notification_config"].get(channel) if facts else None
        if facts is None or not isinstance(config, Mapping):
            text = f"The pipeline is gone, or has no {channel} any more."
            return Outcome("cancelled", reason="not_wanted", error=text)
        known = variables(dict(facts), self._public_host)
        message = compose(event, facts["notification_config"].get("message_templates"), known)
        notice = Notice(event, message, known, str(context.run_id))
        try:
            host = await CHANNELS[channel](self._rules, filled(config, self._environ), notice)
        except NotSent as error:
            await context.log([LogLine(str(error), "ERROR")])
            return Outcome("failed", reason="not_sent", error=str(error), retry=error.again)
        await context.log([LogLine(f"Sent by way of {host}.")])
        return Outcome("succeeded")

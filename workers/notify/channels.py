"""The channels of `notification_config`: how each wants its message."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.outgoing import Outgoing
from workers.notify import mail
from workers.notify.failure import NotSent
from workers.notify.message import Message
from workers.notify.post import post


@dataclass(frozen=True)
class Notice:
    """One message on its way; `key` is the same for each attempt."""

    event: str
    message: Message
    known: Mapping[str, str]
    key: str


Channel = Callable[[Outgoing, Mapping[str, Any], Notice], Awaitable[str]]
"""Rules, the channel's config, the message -> name of the host that took it; or NotSent."""


def _hook(body: Callable[[Message], Any]) -> Channel:
    async def send(rules: Outgoing, config: Mapping[str, Any], notice: Notice) -> str:
        return await post(rules, config.get("webhook_url"), body(notice.message), {})

    return send


def _slack(message: Message) -> Any:
    return {"text": _for_slack(f"*{message.title}*\n{message.text}"[:12_000])}


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> Any:
    return {
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "summary": message.title,
        "title": message.title,
        "text": message.text.replace("\n", "  \n"),
    }


def _discord(message: Message) -> Any:
    text = f"**{message.title}**\n{message.text}"
    return {"content": text[:2000], "allowed_mentions": {"parse": []}}


def _google_chat(message: Message) -> Any:
    return {"text": f"*{message.title}*\n{message.text}"[:4000]}


async def _webhook(rules: Outgoing, config: Mapping[str, Any], notice: Notice) -> str:
    headers = config.get("headers") or {}
    if not isinstance(headers, Mapping):
        raise NotSent("webhook_config: headers is an object of names and values.")
    body = {
        "event": notice.event,
        "title": notice.message.title,
        "text": notice.message.text,
        **{name: notice.known[name] or None for name in FACTS},
    }
    named = {str(name): str(value) for name, value in headers.items()}
    return await post(rules, config.get("url"), body, {**named, "Idempotency-Key": notice.key})


FACTS = (
    "pipeline_uuid",
    "pipeline_run_id",
    "pipeline_run_url",
    "pipeline_schedule_id",
    "pipeline_schedule_name",
    "status",
    "error",
    "execution_time",
    "start_time",
    "end_time",
)
"""What the generic webhook says beside the message, by the names of the templates."""


async def _email(rules: Outgoing, config: Mapping[str, Any], notice: Notice) -> str:
    return await mail.send(rules, config, notice.message)


def _not_offered(name: str) -> Channel:
    async def refuse(rules: Outgoing, config: Mapping[str, Any], notice: Notice) -> str:
        raise NotSent(f"Messages by {name} are not offered. webhook_config may reach it.")

    return refuse


CHANNELS: Mapping[str, Channel] = {
    "slack_config": _hook(_slack),
    "teams_config": _hook(_teams),
    "discord_config": _hook(_discord),
    "google_chat_config": _hook(_google_chat),
    "webhook_config": _webhook,
    "email_config": _email,
    "telegram_config": _not_offered("Telegram"),
    "opsgenie_config": _not_offered("Opsgenie"),
}

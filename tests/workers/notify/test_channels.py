"""Messages to real HTTP and SMTP servers, and what is said when they cannot be sent."""

import asyncio
import base64
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.core.outgoing import Outgoing, own_servers
from app.pipelines.actions.alerts import CHANNELS as NAMED
from tests.workers.notify.sinks import HttpSink, SmtpSink, certificate, http_sink, smtp_sink
from tests.workers.notify.test_message import known
from workers.notify.channels import CHANNELS, Notice
from workers.notify.failure import NotSent
from workers.notify.message import Message

CANARY = "canary-t0ken"
NOTICE = Notice("trigger_failure", Message("A title", "One <&>\ntwo"), known(), "the-key")


@pytest.fixture
def http() -> Iterator[HttpSink]:
    """A web server."""
    with http_sink() as sink:
        yield sink


@pytest.fixture
def smtp() -> Iterator[SmtpSink]:
    """A mail server."""
    with smtp_sink() as sink:
        yield sink


async def send(channel: str, config: Mapping[str, Any], rules: Outgoing | None = None) -> str:
    """Send the notice."""
    return await CHANNELS[channel](rules or Outgoing(), config, NOTICE)


async def refused(channel: str, config: Mapping[str, Any], **how: Any) -> NotSent:
    """The failure of a message that must not be sent; it never shows the secret."""
    with pytest.raises(NotSent) as caught:
        await send(channel, config, **how)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__cause__)
    return caught.value


def test_every_channel_that_is_queued_is_known_here() -> None:
    assert set(CHANNELS) == set(NAMED)


@pytest.mark.parametrize(
    ("channel", "body"),
    [
        ("slack_config", {"text": "*A title*\nOne &lt;&amp;&gt;\ntwo"}),
        (
            "teams_config",
            {
                "@type": "MessageCard",
                "@context": "https://schema.org/extensions",
                "summary": "A title",
                "title": "A title",
                "text": "One <&>  \ntwo",
            },
        ),
        (
            "discord_config",
            {"content": "**A title**\nOne <&>\ntwo", "allowed_mentions": {"parse": []}},
        ),
        ("google_chat_config", {"text": "*A title*\nOne <&>\ntwo"}),
    ],
)
async def test_chat_services_get_their_json(http: HttpSink, channel: str, body: Any) -> None:
    url = http.url(f"/services/{CANARY}?x=1", host="localhost")
    assert await send(channel, {"webhook_url": url}) == "localhost"
    (posted,) = http.posted
    assert posted.body == body
    assert posted.path == f"/services/{CANARY}?x=1"
    assert posted.headers["Host"] == f"localhost:{http.port}"
    assert posted.headers["Content-Type"] == "application/json"


async def test_a_webhook_gets_facts_its_headers_and_a_key(http: HttpSink) -> None:
    await send("webhook_config", {"url": http.url(), "headers": {"X-Token": CANARY}})
    (posted,) = http.posted
    assert posted.headers["X-Token"] == CANARY
    assert posted.headers["Idempotency-Key"] == "the-key"
    assert posted.body["event"] == "trigger_failure"
    assert (posted.body["title"], posted.body["text"]) == ("A title", "One <&>\ntwo")
    assert posted.body["pipeline_run_id"] == "12"
    assert posted.body["error"] == "load_calls: KeyError: 'x'"


@pytest.mark.parametrize(
    ("status", "again"),
    [(400, False), (404, False), (410, False), (429, True), (500, True), (503, True), (302, False)],
)
async def test_statuses_say_if_trying_again_helps(http: HttpSink, status: int, again: bool) -> None:
    http.answers.append(status)
    failure = await refused("slack_config", {"webhook_url": http.url(f"/{CANARY}")})
    assert str(status) in str(failure)
    assert failure.again is again
    assert len(http.posted) == 1  # a redirect is not followed


async def test_the_certificate_must_be_of_the_name_though_the_address_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificate(tmp_path, "localhost")
    with http_sink(own) as sink:
        named = {"webhook_url": sink.url(f"/{CANARY}", "localhost").replace("http:", "https:")}
        unknown = await refused("slack_config", named)
        assert "not to be trusted" in str(unknown) and not unknown.again
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        assert await send("slack_config", named) == "localhost"
        other = {"webhook_url": sink.url(f"/{CANARY}").replace("http:", "https:")}
        assert "not to be trusted" in str(await refused("slack_config", other))
        assert len(sink.posted) == 1


async def test_a_closed_port_may_open_again() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    failure = await refused("slack_config", {"webhook_url": f"http://127.0.0.1:{port}/{CANARY}"})
    assert failure.again


async def test_a_server_that_hangs_up_may_behave_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        async def hang_up() -> None:
            connection, _ = await asyncio.to_thread(server.accept)
            connection.close()

        task = asyncio.create_task(hang_up())
        url = f"http://127.0.0.1:{port}/{CANARY}"
        assert (await refused("slack_config", {"webhook_url": url})).again
        await task


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        f"hooks.example.com/{CANARY}",
        f"file:///{CANARY}",
        f"http://[{CANARY}",
        f"http://169.254.169.254/{CANARY}",
        f"http://user:{CANARY}@2852039166/",
    ],
)
async def test_addresses_that_are_none_or_not_allowed_are_final(url: Any) -> None:
    assert not (await refused("slack_config", {"webhook_url": url})).again


async def test_our_own_servers_and_private_addresses_are_refused(http: HttpSink) -> None:
    own = Outgoing(own=own_servers([f"redis://localhost:{http.port}"]))
    for rules in (own, Outgoing(private=False)):
        failure = await refused("slack_config", {"webhook_url": http.url()}, rules=rules)
        assert not failure.again
    assert http.posted == []


@pytest.mark.parametrize(
    "headers", ["x", ["a"], {"bad name\n": CANARY}, {"A": f"{CANARY}\r\nB: c"}]
)
async def test_headers_that_cannot_be_sent_are_refused(http: HttpSink, headers: Any) -> None:
    await refused("webhook_config", {"url": http.url(), "headers": headers})
    assert http.posted == []


@pytest.mark.parametrize("channel", ["telegram_config", "opsgenie_config"])
async def test_what_is_not_offered_says_so(channel: str) -> None:
    failure = await refused(channel, {"token": CANARY})
    assert "not offered" in str(failure) and not failure.again


def mailbox(smtp: SmtpSink, **more: Any) -> dict[str, Any]:
    """A config for the sink."""
    return {
        "smtp_host": "localhost",
        "smtp_port": smtp.port,
        "smtp_mail_from": "isthmus@example.org",
        "smtp_starttls": False,
        "to_emails": ["a@example.org", "b@example.org"],
        **more,
    }


async def test_mail_goes_to_everybody(smtp: SmtpSink) -> None:
    login = {"smtp_user": "me", "smtp_password": CANARY}
    assert await send("email_config", mailbox(smtp, **login)) == "localhost"
    (mail,) = smtp.mails
    assert (mail["Subject"], mail["From"]) == ("A title", "isthmus@example.org")
    assert mail["To"] == "a@example.org, b@example.org"
    assert str(mail.get_payload(decode=True), "utf-8").splitlines() == ["One <&>", "two"]
    assert smtp.receivers == ["a@example.org", "b@example.org"]
    assert base64.b64decode(smtp.logins[0]) == f"\0me\0{CANARY}".encode()


async def test_a_login_is_never_sent_without_the_tls_that_was_asked_for(smtp: SmtpSink) -> None:
    login = {"smtp_user": "me", "smtp_password": CANARY}
    config = mailbox(smtp, **login)
    del config["smtp_starttls"]
    failure = await refused("email_config", config)
    assert "smtp_starttls" in str(failure) and not failure.again
    assert smtp.logins == [] and smtp.mails == []


async def test_starttls_compares_the_certificate_with_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificate(tmp_path, "localhost")
    with smtp_sink(own) as sink:
        config = mailbox(sink, smtp_starttls=True, smtp_user="me", smtp_password=CANARY)
        assert "not to be trusted" in str(await refused("email_config", config))
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        refusal = await refused("email_config", {**config, "smtp_host": "127.0.0.1"})
        assert "not to be trusted" in str(refusal)
        assert sink.logins == [] and sink.tls == 0
        assert await send("email_config", config) == "localhost"
        assert (len(sink.mails), len(sink.logins), sink.tls) == (1, 1, 1)


@pytest.mark.parametrize(("code", "again"), [(450, True), (550, False)])
async def test_refused_receivers(smtp: SmtpSink, code: int, again: bool) -> None:
    smtp.refused = code
    assert (await refused("email_config", mailbox(smtp))).again is again


@pytest.mark.parametrize(
    "change",
    [
        {"smtp_host": None},
        {"to_emails": []},
        {"to_emails": 3},
        {"smtp_port": "x"},
        {"smtp_mail_from": None},
        {"to_emails": ["a@example.org\nBcc: c@example.org"]},
        {"smtp_host": "169.254.169.254"},
    ],
)
async def test_a_mailbox_that_cannot_be_used(smtp: SmtpSink, change: dict[str, Any]) -> None:
    failure = await refused("email_config", mailbox(smtp, smtp_password=CANARY, **change))
    assert not failure.again
    assert smtp.mails == []

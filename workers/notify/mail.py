"""Sends e-mail by SMTP, in a thread: smtplib blocks."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from app.core import outgoing
from app.core.outgoing import Outgoing
from workers.notify.failure import NotSent
from workers.notify.message import Message

TIMEOUT_S = 20.0
DEFAULT_PORT = 587


@dataclass(frozen=True)
class Mailbox:
    """What `email_config` says, checked."""

    host: str
    port: int
    user: str | None
    password: str
    sender: str
    receivers: tuple[str, ...]
    starttls: bool
    tls: bool


async def send(rules: Outgoing, config: Mapping[str, Any], message: Message) -> str:
    """Send a message to all receivers and return the server's name; raises NotSent."""
    box = _mailbox(config)
    try:
        addresses = await rules.addresses(box.host, box.port)
    except outgoing.NotAllowed as error:
        raise NotSent(f"{box.host}: {error}") from None
    except outgoing.NotFound as error:
        raise NotSent(f"{box.host}: {error}", again=True) from None
    await asyncio.to_thread(_send, box, addresses, _mail(box, message))
    return box.host


def _mailbox(config: Mapping[str, Any]) -> Mailbox:
    receivers = config.get("to_emails") or []
    if isinstance(receivers, str):
        receivers = receivers.split(",")
    try:
        port = int(config.get("smtp_port") or DEFAULT_PORT)
        listed = tuple(str(receiver).strip() for receiver in receivers if str(receiver).strip())
    except (TypeError, ValueError):
        raise NotSent("email_config: smtp_port is a number and to_emails a list.") from None
    sender = config.get("smtp_mail_from") or config.get("smtp_user")
    if not (config.get("smtp_host") and sender and listed):
        raise NotSent("email_config needs smtp_host, smtp_mail_from and to_emails.")
    return Mailbox(
        host=str(config["smtp_host"]),
        port=port,
        user=config.get("smtp_user") or None,
        password=str(config.get("smtp_password") or ""),
        sender=str(sender),
        receivers=listed,
        starttls=config.get("smtp_starttls", True) is not False,
        tls=config.get("smtp_ssl") is True,
    )


def _mail(box: Mailbox, message: Message) -> EmailMessage:
    try:
        mail = EmailMessage()
        mail["Subject"] = message.title
        mail["From"] = box.sender
        mail["To"] = ", ".join(box.receivers)
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain="isthmus.invalid")
        mail.set_content(message.text)
    except (ValueError, IndexError):
        raise NotSent("email_config: an e-mail address cannot be used.") from None
    return mail


class _Smtp(smtplib.SMTP):
    """Connects to an address that was checked, and still knows the server by its name."""

    def __init__(self, box: Mailbox, address: str, trust: ssl.SSLContext) -> None:
        self._address = address
        self._box = box
        self._trust = trust
        super().__init__(timeout=TIMEOUT_S)
        self._host = box.host  # what `starttls` compares the certificate with

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, self._box.port), TIMEOUT_S)
        if not self._box.tls:
            return plain
        return self._trust.wrap_socket(plain, server_hostname=self._box.host)


def _send(box: Mailbox, addresses: list[str], mail: EmailMessage) -> None:
    failure = NotSent(f"{box.host} cannot be connected to.", again=True)
    for address in addresses:
        try:
            _send_by(_Smtp(box, address, ssl.create_default_context()), box, mail)
            return
        except ssl.SSLError:
            raise NotSent(
                f"The certificate of {box.host} is not to be trusted, or it speaks no TLS."
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSent(
                f"{box.host} does not offer what email_config asks for. Without STARTTLS "
                "set smtp_starttls to false; without a login leave smtp_user out."
            ) from None
        except smtplib.SMTPAuthenticationError:
            raise NotSent(f"{box.host} does not accept smtp_user and smtp_password.") from None
        except smtplib.SMTPResponseException as error:
            again = 400 <= error.smtp_code < 500
            raise NotSent(f"{box.host} answered with {error.smtp_code}.", again=again) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            again = all(400 <= code < 500 for code in codes)
            raise NotSent(f"{box.host} accepts none of to_emails.", again=again) from None
        except (smtplib.SMTPException, OSError):
            continue
    raise failure


def _send_by(server: _Smtp, box: Mailbox, mail: EmailMessage) -> None:
    server.connect(box.host, box.port)
    with server:
        if box.starttls and not box.tls:
            server.starttls(context=ssl.create_default_context())
        if box.user:
            server.login(box.user, box.password)
        server.send_message(mail, box.sender, list(box.receivers))

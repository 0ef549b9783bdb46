"""Notices as e-mail over SMTP, by the standard library."""

import logging
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from marketdata_pipelines.domain.notices import Notice
from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.deadline import within
from marketdata_pipelines.notify.specs import MailSecurity, MailSpec

logger = logging.getLogger(__name__)
_SUBJECT_CHARACTERS = 180


@dataclass(frozen=True, slots=True)
class MailChannel:
    """One SMTP server and its recipients."""

    spec: MailSpec
    environ: Mapping[str, str]

    def send(self, notice: Notice) -> None:
        """Hand a notice to the server.

        Errors: DeliveryFailed when it cannot be reached or asks to try later; DeliveryRefused when it says no.
        """
        mail = mail_of(notice, self.spec)
        within(3 * self.spec.timeout_seconds, self._place, lambda: self._deliver(mail))

    @property
    def _place(self) -> str:
        return f"{self.spec.host}:{self.spec.port}"

    def _deliver(self, mail: EmailMessage) -> None:
        try:
            with self._connect() as server:
                if self.spec.security is MailSecurity.STARTTLS:
                    server.starttls(context=ssl.create_default_context())
                self._log_in(server)
                refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _verdict(self._place, f"refused every recipient: {_reasons(error.recipients)}", error) from error
        except smtplib.SMTPResponseException as error:
            text = f"{error.smtp_code} {_readable(error.smtp_error)}"
            raise _verdict(self._place, f"answered {text}", error) from error
        except smtplib.SMTPNotSupportedError as error:
            raise DeliveryRefused(
                f"{self._place} cannot do what is asked ({error}); check security and user"
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryFailed(f"{self._place} could not be reached or hung up ({error})") from error
        if refused:
            # The others have it: sending it again would tell them twice.
            logger.warning("%s refused some recipients: %s", self._place, _reasons(refused))

    def _connect(self) -> smtplib.SMTP:
        host, port, timeout = self.spec.host, self.spec.port, self.spec.timeout_seconds
        if self.spec.security is MailSecurity.TLS:
            return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=timeout)

    def _log_in(self, server: smtplib.SMTP) -> None:
        if self.spec.user_env is None or self.spec.password_env is None:
            return
        values = []
        for name in (self.spec.user_env, self.spec.password_env):
            value = self.environ.get(name)
            if not value:
                raise DeliveryFailed(f"the environment variable {name}, for {self._place}, is not set; set it")
            values.append(value)
        server.login(*values)


def mail_of(notice: Notice, spec: MailSpec) -> EmailMessage:
    """A notice as a plain-text e-mail; the same notice always has the same Message-ID."""
    mail = EmailMessage()
    # A header holds one line; a file's name may hold anything.
    title = " ".join("".join(c if c.isprintable() else " " for c in notice.title).split())
    mail["Subject"] = title[:_SUBJECT_CHARACTERS]
    mail["From"] = spec.sender
    mail["To"] = ", ".join(spec.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(notice.at_us / 1_000_000, tz=UTC))
    mail["Message-ID"] = f"<{_message_id(notice)}@marketdata-pipelines>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(notice.text)
    return mail


def _message_id(notice: Notice) -> str:
    safe = "".join(c if c.isascii() and c.isalnum() else "." for c in f"{notice.id} {notice.at_us}")
    return ".".join(part for part in safe.split(".") if part)


def _verdict(place: str, text: str, error: smtplib.SMTPException) -> DeliveryFailed | DeliveryRefused:
    """4xx means later, 5xx means no (RFC 5321)."""
    codes = (
        [code for code, _ in error.recipients.values()]
        if isinstance(error, smtplib.SMTPRecipientsRefused)
        else [getattr(error, "smtp_code", 0)]
    )
    if any(code < 500 for code in codes):
        return DeliveryFailed(f"{place} {text}")
    return DeliveryRefused(f"{place} {text}; check the addresses, the user and the server's rules")


def _reasons(recipients: Mapping[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address} ({code} {_readable(text)})" for address, (code, text) in recipients.items())


def _readable(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text

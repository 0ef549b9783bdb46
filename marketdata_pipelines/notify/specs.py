"""What a channel is: where notices go and which, without its secrets, which stay in environment variables.

Read from notifications.yaml by `settings.notifications_file`; opened in `channels`.
"""

from dataclasses import dataclass
from enum import StrEnum

from marketdata_pipelines.domain.notices import Notice, NoticeKind

LOG_CHANNEL = "log"


class MailSecurity(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which notices a channel wants; empty means all."""

    kinds: tuple[NoticeKind, ...] = ()
    feeds: tuple[str, ...] = ()

    def wants(self, notice: Notice) -> bool:
        if notice.kind is NoticeKind.TEST:
            return True
        return (not self.kinds or notice.kind in self.kinds) and (not self.feeds or notice.feed in self.feeds)


@dataclass(frozen=True, slots=True)
class MailSpec:
    """E-mail over SMTP. `user_env` and `password_env` name environment variables."""

    name: str
    host: str
    port: int
    security: MailSecurity
    sender: str
    to: tuple[str, ...]
    user_env: str | None = None
    password_env: str | None = None
    filter: Filter = Filter()
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """A POST in Slack's form. `url_env` names the environment variable with the address, which is a secret."""

    name: str
    url_env: str
    filter: Filter = Filter()
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class LogSpec:
    """The process's own log."""

    name: str = LOG_CHANNEL
    filter: Filter = Filter()


ChannelSpec = MailSpec | WebhookSpec | LogSpec

"""The ways out, opened from their specs."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from marketdata_pipelines.domain.notices import Notice
from marketdata_pipelines.notify.log import LogChannel
from marketdata_pipelines.notify.mail import MailChannel
from marketdata_pipelines.notify.specs import ChannelSpec, LogSpec, MailSpec
from marketdata_pipelines.notify.webhook import WebhookChannel


class Channel(Protocol):
    """One way out; `send` returns once the other side has taken the notice.

    Errors: DeliveryFailed (try again) or DeliveryRefused (mend the settings), nothing else, and in bounded time.
    """

    @property
    def spec(self) -> ChannelSpec: ...

    def send(self, notice: Notice) -> None: ...


def open_channels(specs: Iterable[ChannelSpec], environ: Mapping[str, str]) -> list[Channel]:
    """A channel for each spec; secrets are read from `environ` when something is sent."""
    return [_open(spec, environ) for spec in specs]


def _open(spec: ChannelSpec, environ: Mapping[str, str]) -> Channel:
    if isinstance(spec, LogSpec):
        return LogChannel(spec)
    if isinstance(spec, MailSpec):
        return MailChannel(spec, environ)
    return WebhookChannel(spec, environ)

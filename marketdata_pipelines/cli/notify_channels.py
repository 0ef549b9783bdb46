"""How the channels of notifications.yaml stand: where they go, what waits for them, whether a test gets through."""

import os
import socket
import time
from dataclasses import dataclass

from marketdata_pipelines.cli.consoles import counted
from marketdata_pipelines.errors import DeliveryError
from marketdata_pipelines.notify.channels import open_channels
from marketdata_pipelines.notify.specs import ChannelSpec, LogSpec, MailSpec
from marketdata_pipelines.pipeline.notices import trial_notice
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.notifications_file import load_notifications
from marketdata_pipelines.stores.outbox import Outbox


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel: `state` is ok or failed; `waiting` counts notices it has not delivered yet."""

    channel: str
    state: str
    text: str
    waiting: int


def channel_states(settings: Settings, *, test: bool) -> list[ChannelState]:
    """Every channel, the log first; with `test` each is sent a message, and one that fails holds up no other.

    Errors: SettingsInvalid where notifications.yaml is wrong.
    """
    specs = load_notifications(settings.notifications_file).channels
    outbox = Outbox(settings.outbox)
    notice = trial_notice(time.time_ns() // 1000, socket.gethostname())
    states = []
    for channel in open_channels(specs, os.environ):
        spec, state, text = channel.spec, "ok", place_of(channel.spec)
        waiting = outbox.undelivered(spec.name)
        if test:
            try:
                channel.send(notice)
                text = f"{text}: sent"
            except DeliveryError as error:
                state, text = "failed", f"{text}: {error}"
        elif waiting and waiting[0].error:
            state = "failed"
            text = f"{text}: {counted(len(waiting), 'notice')} waiting, the oldest was not taken: {waiting[0].error}"
        states.append(ChannelState(spec.name, state, text, len(waiting)))
    return states


def place_of(spec: ChannelSpec) -> str:
    """Where a channel leads, without its secrets."""
    if isinstance(spec, LogSpec):
        return "the log of Dagster's code server (always on)"
    if isinstance(spec, MailSpec):
        return f"e-mail to {', '.join(spec.to)} through {spec.host}:{spec.port} ({spec.security})"
    return f"webhook, its address in {spec.url_env}"

from pathlib import Path
from textwrap import dedent

import pytest

from marketdata_pipelines.domain.notices import NoticeKind
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.notify.specs import Filter, LogSpec, MailSecurity, MailSpec, WebhookSpec
from marketdata_pipelines.settings.notifications_file import Notifications, load_notifications, parse_notifications


def complaint(text: str) -> str:
    """What is said about a text."""
    with pytest.raises(SettingsInvalid) as caught:
        parse_notifications(dedent(text), "notifications.yaml")
    return str(caught.value)


def test_without_a_file_there_is_the_log(tmp_path: Path) -> None:
    assert load_notifications(tmp_path / "notifications.yaml") == Notifications((LogSpec(),), 600)


def test_channels_and_their_defaults() -> None:
    found = parse_notifications(
        dedent("""\
            group_minutes: 2.5
            channels:
              - {kind: webhook, url_env: SLACK_URL, events: [failure, late], feeds: coins}
              - kind: email
                name: night
                host: smtp.example.org
                security: tls
                user_env: SMTP_USER
                password_env: SMTP_PASSWORD
                from: marketdata@example.org
                to: [ops@example.org, me@example.org]
        """),
        "notifications.yaml",
    )

    assert found.group_seconds == 150
    assert found.channels == (
        LogSpec(),
        WebhookSpec("webhook-1", "SLACK_URL", Filter((NoticeKind.FAILURE, NoticeKind.LATE), ("coins",))),
        MailSpec(
            "night", "smtp.example.org", 465, MailSecurity.TLS, "marketdata@example.org",
            ("ops@example.org", "me@example.org"), "SMTP_USER", "SMTP_PASSWORD",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channels: [{kind: sms}]", "line 1: kind is 'sms'; allowed: email, webhook (the log is always on)"),
        ("channel: []", "line 1: channel is no key of notifications.yaml; allowed: group_minutes, channels"),
        ("channels: [{kind: webhook}]", "lacks the key url_env"),
        ("channels: [{kind: webhook, url: x}]", "url is no key of a channel of kind webhook; allowed: kind, name"),
        ("channels: [{kind: email, host: h, to: a@b}]", "lacks the key from"),
        ("channels: [{kind: email, host: h, from: a, to: a@b}]", "'a' is no e-mail address"),
        ("channels: [{kind: email, host: h, from: a@b, to: a@b, port: 0}]", "'0' is no port"),
        (
            "channels: [{kind: email, host: h, from: a@b, to: a@b, user_env: U}]",
            "only one of user_env and password_env",
        ),
        (
            "channels: [{kind: email, host: h, from: a@b, to: a@b, security: none, user_env: U, password_env: P}]",
            "would send a password in the clear",
        ),
        ("channels: [{kind: webhook, url_env: A, events: [boom]}]", "'boom' is no event; allowed: failure, recovery"),
        ("channels: [{kind: webhook, url_env: A, timeout_seconds: 60}]", "at most 10 seconds"),
        ("channels: [{kind: webhook, url_env: A, name: x}, {kind: webhook, url_env: B, name: x}]", "second channel"),
        ("group_minutes: -1", "0 to 1440 minutes"),
        ("channels: [", "is not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(text: str, said: str) -> None:
    assert said in complaint(text)


def test_a_secret_written_in_place_of_its_variable_is_not_repeated() -> None:
    said = complaint("channels: [{kind: webhook, url_env: 'https://hooks.example.org/T0/secret'}]")

    assert "must be the name of an environment variable" in said
    assert "secret" not in said

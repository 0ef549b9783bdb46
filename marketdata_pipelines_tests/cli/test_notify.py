import json
from pathlib import Path

import pytest

from marketdata_pipelines_tests.cli.conftest import Run
from marketdata_pipelines_tests.notify.receivers import smtp_server, webhook


def configure(home: Path, smtp_port: int) -> None:
    (home / "notifications.yaml").write_text(
        "channels:\n"
        "  - {kind: webhook, name: chat, url_env: CHAT_URL, timeout_seconds: 1}\n"
        f"  - {{kind: email, name: mail, host: 127.0.0.1, port: {smtp_port}, security: none,"
        " from: marketdata@example.org, to: [ops@example.org], timeout_seconds: 1}\n"
    )


def test_a_test_message_goes_through_every_channel(
    empty_home: Path, marketdata: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as hook, smtp_server() as inbox:
        configure(empty_home, inbox.port)
        monkeypatch.setenv("CHAT_URL", hook.url)
        answer = marketdata(empty_home, "notify", "--test")

    assert answer.code == 0
    assert [each["text"] for each in hook.received] == ["marketdata: this is a test"]
    assert [str(mail["Subject"]) for mail in inbox.mails] == ["marketdata: this is a test"]
    assert "webhook, its address in CHAT_URL: sent" in answer.out


def test_a_channel_that_fails_is_named_and_holds_up_no_other(
    empty_home: Path, marketdata: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as hook, smtp_server() as inbox:
        configure(empty_home, inbox.port)
        hook.answers = [404]
        monkeypatch.setenv("CHAT_URL", hook.url)
        answer = marketdata(empty_home, "notify", "--test", "--json")

    assert answer.code == 1
    states = {each["channel"]: (each["state"], each["text"]) for each in json.loads(answer.out)}
    assert states["chat"] == (
        "failed",
        "webhook, its address in CHAT_URL: 127.0.0.1 answered 404: no; check the address in CHAT_URL",
    )
    assert states["mail"][0] == "ok"
    assert hook.url not in answer.out + answer.err


def test_without_a_file_there_is_the_log(empty_home: Path, marketdata: Run) -> None:
    answer = marketdata(empty_home, "notify")

    assert answer.code == 0
    assert answer.out.split() == ["ok", "log", "the", "log", "of", "Dagster's", "code", "server", "(always", "on)"]


def test_a_mistake_in_the_file_is_a_usage_error(empty_home: Path, marketdata: Run) -> None:
    (empty_home / "notifications.yaml").write_text("channels: [{kind: pigeon}]")

    answer = marketdata(empty_home, "notify")

    assert answer.code == 2
    assert "kind is 'pigeon'; allowed: email, webhook" in answer.err

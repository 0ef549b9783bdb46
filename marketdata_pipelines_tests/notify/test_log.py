import logging

import pytest

from marketdata_pipelines.domain.notices import Notice, NoticeKind
from marketdata_pipelines.notify.channels import open_channels
from marketdata_pipelines.notify.specs import LogSpec


def notice(kind: NoticeKind) -> Notice:
    return Notice("1", kind, "shares", "a title", ("one\nline", "two"), 1, "http://x/1")


def test_bad_news_is_one_warning_and_good_news_is_information(caplog: pytest.LogCaptureFixture) -> None:
    (channel,) = open_channels([LogSpec()], {})

    with caplog.at_level(logging.INFO, "marketdata_pipelines.notify.log"):
        channel.send(notice(NoticeKind.FAILURE))
        channel.send(notice(NoticeKind.RECOVERY))

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "a title | one line | two | http://x/1"),
        ("INFO", "a title | one line | two | http://x/1"),
    ]

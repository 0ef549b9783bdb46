"""Grouping and sending, against real local receivers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.notices import Happening, NoticeKind
from marketdata_pipelines.notify.channels import Channel, open_channels
from marketdata_pipelines.notify.specs import ChannelSpec, Filter, LogSpec, MailSecurity, MailSpec, WebhookSpec
from marketdata_pipelines.pipeline.notices import Turn, record_failure, record_state, record_success, take_turn
from marketdata_pipelines.stores.outbox import Outbox
from marketdata_pipelines_tests.notify.receivers import Hook, Inbox, smtp_server, webhook

SECOND = 1_000_000
FAILED = Happening("failure 1", NoticeKind.FAILURE, "shares", "shares__day", "no disk", 0)
RECOVERED = Happening("recovery 2", NoticeKind.RECOVERY, "shares", "shares__day", "fine", 100 * SECOND)


class Desk:
    """An outbox with a webhook and a mail server, and a clock that is set by hand."""

    def __init__(self, path: Path, hook: Hook, inbox: Inbox) -> None:
        self.path, self.hook, self.inbox = path, hook, inbox
        self.now_us = 0

    @property
    def outbox(self) -> Outbox:
        """A fresh one each time, as after a restart."""
        return Outbox(self.path)

    def channels(self, *extra: ChannelSpec) -> list[Channel]:
        mail = MailSpec(
            "mail", "127.0.0.1", self.inbox.port, MailSecurity.NONE, "a@example.org", ("ops@example.org",),
            timeout_seconds=0.3,
        )  # fmt: skip
        specs: list[ChannelSpec] = [LogSpec(), WebhookSpec("hook", "HOOK", timeout_seconds=0.3), mail, *extra]
        return open_channels(specs, {"HOOK": self.hook.url})

    def turn(self, at_seconds: int, *extra: ChannelSpec) -> Turn:
        self.now_us = at_seconds * SECOND
        channels = self.channels(*extra)
        return take_turn(self.outbox, channels, lambda: self.now_us, group_seconds=600, budget_seconds=20)

    @property
    def posted(self) -> list[str]:
        return [each["text"] for each in self.hook.received]

    @property
    def mailed(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.inbox.mails]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with webhook() as hook, smtp_server() as inbox:
        yield Desk(tmp_path / "outbox.sqlite", hook, inbox)


def failures(count: int, at_seconds: int = 0, start: int = 0) -> list[Happening]:
    return [replace(FAILED, id=f"failure {start + n}", at_us=at_seconds * SECOND) for n in range(count)]


def test_a_happening_is_told_once_on_every_channel_whatever_turns_follow(desk: Desk) -> None:
    desk.outbox.add([FAILED])

    for second in (30, 60, 90):
        desk.outbox.add([FAILED])
        desk.turn(second)

    assert desk.posted == ["shares__day failed"]
    assert desk.mailed == ["shares__day failed"]


def test_forty_failures_are_one_notice_and_those_that_follow_one_more_after_the_group_time(desk: Desk) -> None:
    desk.outbox.add(failures(40))
    desk.turn(30)
    desk.outbox.add(failures(5, at_seconds=60, start=40))
    desk.turn(90)
    desk.turn(629)

    assert desk.posted == ["shares: 40 runs failed"]

    desk.turn(630)

    assert desk.posted == ["shares: 40 runs failed", "shares: 5 runs failed"]


def test_what_has_just_happened_waits_a_moment_for_more(desk: Desk) -> None:
    desk.outbox.add(failures(1, at_seconds=100))

    desk.turn(110)

    assert desk.posted == []


def test_another_feeds_failures_do_not_wait_for_this_ones_group(desk: Desk) -> None:
    desk.outbox.add([FAILED])
    desk.turn(30)
    desk.outbox.add([replace(FAILED, id="failure 9", feed="coins", subject="coins__day", at_us=40 * SECOND)])
    desk.turn(60)

    assert desk.posted == ["shares__day failed", "coins__day failed"]


@pytest.mark.parametrize("status", [500, 429, 0])
def test_a_channel_that_is_down_holds_no_other_up_and_gets_everything_once_it_is_back(desk: Desk, status: int) -> None:
    desk.hook.answers = [status]
    desk.outbox.add([FAILED])
    down = desk.turn(30)
    desk.outbox.add([replace(FAILED, id="failure 9", feed="coins", subject="coins__day", at_us=31 * SECOND)])
    desk.turn(60)
    desk.hook.answers = [200]
    desk.turn(300)
    desk.turn(400)

    assert [name for name, _ in down.troubles] == ["hook"]
    assert desk.mailed == ["shares__day failed", "coins__day failed"]
    assert desk.posted == ["shares__day failed", "coins__day failed"]


def test_a_channel_that_is_down_is_tried_less_and_less_often(desk: Desk) -> None:
    desk.hook.answers = [500]
    desk.outbox.add([FAILED])

    tried = []
    for second in range(30, 930, 30):
        before = desk.hook.calls
        desk.turn(second)
        if desk.hook.calls > before:
            tried.append(second)

    assert tried == [30, 60, 120, 240, 480]


def test_a_server_that_says_when_to_come_back_is_believed(desk: Desk) -> None:
    desk.hook.answers, desk.hook.headers = [429, 200], {"Retry-After": "500"}
    desk.outbox.add([FAILED])
    desk.turn(30)
    desk.turn(529)

    assert desk.hook.calls == 1

    desk.turn(530)

    assert desk.posted == ["shares__day failed"]


def test_a_notice_that_is_refused_does_not_hold_up_the_next(desk: Desk) -> None:
    desk.hook.answers = [400, 200]
    desk.outbox.add([FAILED, replace(FAILED, id="failure 9", feed="coins", subject="coins__day")])

    desk.turn(30)

    assert desk.posted == ["shares__day failed"] or desk.posted == ["coins__day failed"]
    assert len(desk.outbox.undelivered("hook")) == 1


def test_a_channel_gets_only_what_it_asked_for(desk: Desk) -> None:
    quiet = WebhookSpec("quiet", "HOOK", Filter(kinds=(NoticeKind.LATE,), feeds=("coins",)))
    desk.outbox.add([FAILED])

    desk.turn(30, quiet)

    assert desk.posted == ["shares__day failed"]
    assert desk.outbox.undelivered("quiet") == []


def test_a_success_after_a_failure_is_told_once(desk: Desk) -> None:
    record_failure(desk.outbox, FAILED, RECOVERED)

    first = record_success(desk.outbox, RECOVERED)
    second = record_success(desk.outbox, replace(RECOVERED, id="recovery 3", at_us=200 * SECOND))
    desk.turn(300)

    assert (first, second) == (True, False)
    assert sorted(desk.posted) == ["shares__day failed", "shares__day works again"]


def test_a_success_without_a_failure_is_no_news(desk: Desk) -> None:
    told = record_success(desk.outbox, RECOVERED)

    assert not told
    assert desk.outbox.waiting() == {}


def test_a_success_that_was_seen_before_the_failure_it_follows_still_ends_it(desk: Desk) -> None:
    record_success(desk.outbox, RECOVERED)

    record_failure(desk.outbox, FAILED, replace(RECOVERED, id="recovery of 1"))

    assert sorted(desk.outbox.waiting()) == ["shares failure", "shares recovery"]
    assert desk.outbox.open_failures("shares__day", 1000 * SECOND) == []


def test_a_failure_after_the_last_success_stays_open(desk: Desk) -> None:
    record_success(desk.outbox, replace(RECOVERED, at_us=-1))

    record_failure(desk.outbox, FAILED, RECOVERED)

    assert desk.outbox.open_failures("shares__day", 0) == [FAILED]


def test_a_lasting_condition_is_told_when_it_begins_and_when_it_ends(desk: Desk) -> None:
    late = Happening("late 1", NoticeKind.LATE, "shares", "daily_bars", "nothing came", 0)
    fresh = replace(late, id="fresh 1", kind=NoticeKind.FRESH)

    record_state(desk.outbox, "late shares", [late], lambda _: fresh)
    record_state(desk.outbox, "late shares", [replace(late, id="late 2")], lambda _: fresh)
    during = desk.outbox.waiting()
    record_state(desk.outbox, "late shares", [], lambda _: fresh)
    record_state(desk.outbox, "late shares", [], lambda _: fresh)

    assert during == {"shares late": [late]}
    assert desk.outbox.waiting() == {"shares late": [late], "shares fresh": [fresh]}

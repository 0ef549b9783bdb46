from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.notices import Happening, NoticeKind, compose
from marketdata_pipelines.stores.outbox import Outbox

FAILED = Happening("failure 1", NoticeKind.FAILURE, "shares", "shares__day", "no disk", 10, "2024-03-08", "Mend it.")
RECOVERED = Happening("recovery 2", NoticeKind.RECOVERY, "shares", "shares__day", "fine", 20)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite")


def test_a_happening_found_again_counts_once_even_after_it_was_told(outbox: Outbox) -> None:
    first = outbox.add([FAILED])
    outbox.make(compose([FAILED]), [FAILED], ["log"], 11)

    again = outbox.add([FAILED])

    assert (first, again) == (1, 0)
    assert outbox.waiting() == {}


def test_what_waits_reads_back_as_it_was_in_order_of_time(outbox: Outbox) -> None:
    later = replace(FAILED, id="failure 2", at_us=12)

    outbox.add([later, FAILED])

    assert outbox.waiting() == {"shares failure": [FAILED, later]}


def test_a_notice_goes_to_each_channel_once(outbox: Outbox) -> None:
    outbox.add([FAILED])
    outbox.make(compose([FAILED]), [FAILED], ["log", "mail"], 11)

    (delivery,) = outbox.pending("log", 11)
    outbox.sent(delivery)

    assert delivery.notice == compose([FAILED])
    assert outbox.pending("log", 11) == []
    assert [each.notice for each in outbox.pending("mail", 11)] == [compose([FAILED])]


def test_a_channel_that_rests_has_nothing_pending_until_its_time(outbox: Outbox) -> None:
    outbox.add([FAILED])
    outbox.make(compose([FAILED]), [FAILED], ["mail"], 11)

    outbox.rest("mail", 50)

    assert outbox.pending("mail", 49) == []
    assert len(outbox.pending("mail", 50)) == 1
    assert outbox.failures("mail") == 1


def test_a_notice_that_was_put_off_keeps_its_attempts_and_error(outbox: Outbox) -> None:
    outbox.add([FAILED])
    outbox.make(compose([FAILED]), [FAILED], ["mail"], 11)

    outbox.put_off(outbox.pending("mail", 11)[0], 40, "451 later")

    (waiting,) = outbox.undelivered("mail")
    assert (waiting.attempts, waiting.error) == (1, "451 later")
    assert outbox.pending("mail", 39) == []


def test_a_recovery_settles_the_failures_before_it_only(outbox: Outbox) -> None:
    after = replace(FAILED, id="failure 3", at_us=30)
    outbox.add([FAILED, after])

    outbox.settle(outbox.open_failures("shares__day", 20), RECOVERED)

    assert outbox.open_failures("shares__day", 40) == [after]
    assert outbox.waiting()["shares recovery"] == [RECOVERED]


def test_marks_are_kept_with_what_they_belong_to(outbox: Outbox) -> None:
    outbox.add([FAILED], marks={"ledger shares": "7"})

    assert outbox.mark("ledger shares") == "7"
    assert outbox.mark("ledger other") is None


def test_what_is_old_and_delivered_is_forgotten_what_is_not_stays(outbox: Outbox) -> None:
    undelivered = replace(FAILED, id="failure 2")
    outbox.add([FAILED, undelivered])
    outbox.make(compose([FAILED]), [FAILED], ["log"], 11)
    outbox.make(compose([undelivered]), [undelivered], ["mail"], 11)
    outbox.sent(outbox.pending("log", 11)[0])

    outbox.forget(100)

    assert outbox.open_failures("shares__day", 100) == [undelivered]
    assert len(outbox.pending("mail", 100)) == 1


def test_reading_makes_no_file(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")

    assert outbox.waiting() == {}
    assert outbox.last_made_us("shares failure") is None
    assert not (tmp_path / "outbox.sqlite").exists()

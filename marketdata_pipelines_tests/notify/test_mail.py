import pytest

from marketdata_pipelines.domain.notices import Notice, NoticeKind
from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.mail import MailChannel, mail_of
from marketdata_pipelines.notify.specs import MailSecurity, MailSpec
from marketdata_pipelines_tests.notify.receivers import free_port, silent_server, smtp_server

NOTICE = Notice(
    id="failure 1a2b",
    kind=NoticeKind.FAILURE,
    feed="shares",
    title="shares__day failed",
    lines=("shares__day 2024-03-08: no répondant", "run it again"),
    at_us=1_710_000_000_000_000,
    link="http://localhost:3000/runs/1",
)


def channel(port: int, *, to: tuple[str, ...] = ("ops@example.org",), timeout_seconds: float = 5.0) -> MailChannel:
    spec = MailSpec(
        name="mail",
        host="127.0.0.1",
        port=port,
        security=MailSecurity.NONE,
        sender="marketdata@example.org",
        to=to,
        timeout_seconds=timeout_seconds,
    )
    return MailChannel(spec, {})


def test_a_notice_arrives_as_plain_text() -> None:
    with smtp_server() as inbox:
        channel(inbox.port, to=("ops@example.org", "me@example.org")).send(NOTICE)

    (mail,) = inbox.mails
    assert inbox.recipients == [["ops@example.org", "me@example.org"]]
    assert mail["Subject"] == "shares__day failed"
    assert mail["From"] == "marketdata@example.org"
    assert mail["Message-ID"] == "<failure.1a2b.1710000000000000@marketdata-pipelines>"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().replace("\r\n", "\n") == (
        "shares__day failed\n\nshares__day 2024-03-08: no répondant\nrun it again\nhttp://localhost:3000/runs/1\n"
    )


def test_a_server_that_asks_for_later_may_be_tried_again() -> None:
    with smtp_server() as inbox:
        inbox.answer = "451 greylisted"
        with pytest.raises(DeliveryFailed, match=r"127.0.0.1:\d+ answered 451 greylisted"):
            channel(inbox.port).send(NOTICE)


def test_a_server_that_says_no_is_a_refusal() -> None:
    with smtp_server() as inbox:
        inbox.answer = "554 spam"
        with pytest.raises(DeliveryRefused, match="answered 554 spam; check the addresses"):
            channel(inbox.port).send(NOTICE)


def test_recipients_nobody_knows_are_a_refusal_that_names_them() -> None:
    with smtp_server() as inbox:
        inbox.refused = {"ops@example.org": "550 no such user"}
        with pytest.raises(DeliveryRefused, match=r"refused every recipient: ops@example.org \(550 no such user\)"):
            channel(inbox.port).send(NOTICE)


def test_one_unknown_recipient_does_not_make_the_others_be_told_twice() -> None:
    with smtp_server() as inbox:
        inbox.refused = {"gone@example.org": "550 no such user"}
        channel(inbox.port, to=("gone@example.org", "ops@example.org")).send(NOTICE)

    assert inbox.recipients == [["ops@example.org"]]


def test_nobody_listening_may_be_tried_again() -> None:
    with pytest.raises(DeliveryFailed, match="could not be reached"):
        channel(free_port()).send(NOTICE)


def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with silent_server() as port, pytest.raises(DeliveryFailed, match="could not be reached or hung up"):
        channel(port, timeout_seconds=0.2).send(NOTICE)


def test_encryption_a_server_does_not_offer_is_a_refusal_and_nothing_is_sent_in_the_clear() -> None:
    with smtp_server() as inbox:
        spec = MailSpec("mail", "127.0.0.1", inbox.port, MailSecurity.STARTTLS, "a@example.org", ("b@example.org",))
        with pytest.raises(DeliveryRefused, match="cannot do what is asked"):
            MailChannel(spec, {}).send(NOTICE)

    assert inbox.mails == []


def test_a_password_that_is_not_set_is_named() -> None:
    with smtp_server() as inbox:
        spec = MailSpec(
            "mail", "127.0.0.1", inbox.port, MailSecurity.NONE, "a@example.org", ("b@example.org",), "U_VAR", "P_VAR"
        )
        with pytest.raises(DeliveryFailed, match=r"environment variable P_VAR, .* is not set"):
            MailChannel(spec, {"U_VAR": "me"}).send(NOTICE)


def test_a_title_with_line_breaks_stays_one_header() -> None:
    spec = MailSpec("mail", "host", 25, MailSecurity.NONE, "a@example.org", ("b@example.org",))
    odd = Notice("1", NoticeKind.REFUSED, "shares", "a\r\nBcc: x@example.org\x00 b", (), 1)

    mail = mail_of(odd, spec)

    assert mail["Subject"] == "a Bcc: x@example.org b"
    assert mail["Bcc"] is None

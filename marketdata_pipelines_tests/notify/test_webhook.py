from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from marketdata_pipelines.domain.notices import Notice, NoticeKind
from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.specs import WebhookSpec
from marketdata_pipelines.notify.webhook import WebhookChannel, payload, retry_after
from marketdata_pipelines_tests.notify.receivers import free_port, webhook

NOTICE = Notice(
    id="failure 1",
    kind=NoticeKind.FAILURE,
    feed="shares",
    title="shares__day failed",
    lines=("shares__day 2024-03-08: high < low & more", "run it again"),
    at_us=1,
    link="http://localhost:3000/runs/1",
)


def channel(url: str, timeout_seconds: float = 5.0) -> WebhookChannel:
    return WebhookChannel(WebhookSpec("hook", "HOOK_URL", timeout_seconds=timeout_seconds), {"HOOK_URL": url})


def test_a_notice_arrives_in_slacks_form() -> None:
    with webhook() as hook:
        channel(hook.url).send(NOTICE)

    assert hook.received == [
        {
            "text": "shares__day failed",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "shares__day failed"}},
                {
                    "type": "section",
                    "text": {
                        "type": "mrkdwn",
                        "text": "shares__day 2024-03-08: high &lt; low &amp; more\nrun it again",
                    },
                },
                {
                    "type": "context",
                    "elements": [{"type": "mrkdwn", "text": "<http://localhost:3000/runs/1|Open in Dagster>"}],
                },
            ],
        }
    ]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_that_means_later_may_be_tried_again(status: int) -> None:
    with webhook() as hook:
        hook.answers, hook.headers = [status], {"Retry-After": "17"}
        with pytest.raises(DeliveryFailed, match=f"127.0.0.1 answered {status}: no") as caught:
            channel(hook.url).send(NOTICE)

    assert caught.value.retry_after_seconds == 17


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
def test_an_answer_that_means_no_is_a_refusal_that_names_the_variable(status: int) -> None:
    with webhook() as hook:
        hook.answers = [status]
        with pytest.raises(DeliveryRefused, match=f"127.0.0.1 answered {status}: no; check the address in HOOK_URL"):
            channel(hook.url).send(NOTICE)


def test_a_server_that_hangs_is_left_in_time_and_its_address_stays_secret() -> None:
    with webhook() as hook:
        hook.answers = [0]
        with pytest.raises(DeliveryFailed) as caught:
            channel(hook.url, timeout_seconds=0.2).send(NOTICE)

    assert str(caught.value) == "127.0.0.1 did not take it (ReadTimeout)"


def test_nobody_listening_may_be_tried_again() -> None:
    url = f"http://127.0.0.1:{free_port()}/hook/secret"

    with pytest.raises(DeliveryFailed, match=r"^127.0.0.1 did not take it \(ConnectError\)$"):
        channel(url).send(NOTICE)


@pytest.mark.parametrize("value", ["hooks.example.org/T/secret", "ftp://example.org/secret", "http://"])
def test_a_value_that_is_no_address_is_not_told(value: str) -> None:
    with pytest.raises(DeliveryRefused) as caught:
        channel(value).send(NOTICE)

    assert str(caught.value) == "HOOK_URL holds no http or https address; set it to the webhook's"


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(DeliveryFailed, match="HOOK_URL, the webhook's address, is not set"):
        channel("").send(NOTICE)


def test_long_texts_are_cut_to_what_slack_takes_and_never_inside_an_escape() -> None:
    long = Notice("1", NoticeKind.FAILURE, "shares", "t" * 400, ("&" * 2000,), 1)

    blocks = payload(long)["blocks"]

    assert isinstance(blocks, list)
    assert blocks[0]["text"]["text"] == "t" * 149 + "…"
    body = blocks[1]["text"]["text"]
    assert len(body) <= 2900
    assert body.removesuffix("…").replace("&amp;", "") == ""


def test_retry_after_is_a_number_or_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60))

    assert retry_after("2.5") == 2.5
    assert 55 < (retry_after(in_a_minute) or 0) <= 60
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    assert retry_after("soon") is None
    assert retry_after(None) is None

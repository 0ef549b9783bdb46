"""Notices as JSON to a webhook in Slack's form, which Mattermost, Rocket.Chat and others take too."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from marketdata_pipelines.domain.notices import Notice
from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.deadline import within
from marketdata_pipelines.notify.specs import WebhookSpec

# Slack's limits: a header of 150 characters, a section of 3,000.
_HEADER_CHARACTERS, _SECTION_CHARACTERS = 150, 2900
_LATER = (408, 425, 429)
_ANSWER_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """One address to post to."""

    spec: WebhookSpec
    environ: Mapping[str, str]

    def send(self, notice: Notice) -> None:
        """Post a notice; any 2xx answer takes it.

        Errors: DeliveryFailed for no answer, 5xx, 408, 425 and 429; DeliveryRefused for anything else.
        """
        url = self.environ.get(self.spec.url_env)
        if not url:
            raise DeliveryFailed(
                f"the environment variable {self.spec.url_env}, the webhook's address, is not set; set it"
            )
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DeliveryRefused(f"{self.spec.url_env} holds no http or https address; set it to the webhook's")
        # Takes most of a second to import, which is not the server's fault; most processes never send anything.

        within(3 * self.spec.timeout_seconds, parts.hostname, lambda: self._post(url, parts.hostname or "", notice))

    def _post(self, url: str, host: str, notice: Notice) -> None:
        import httpx

        try:
            answer = httpx.post(url, json=payload(notice), timeout=self.spec.timeout_seconds, follow_redirects=False)
        except httpx.InvalidURL as error:
            raise DeliveryRefused(f"{self.spec.url_env} holds no address that can be posted to") from error
        except httpx.HTTPError as error:
            # The error's text may hold the address.
            raise DeliveryFailed(f"{host} did not take it ({type(error).__name__})") from None
        if answer.is_success:
            return
        text = f"{host} answered {answer.status_code}: {' '.join(answer.text.split())[:_ANSWER_CHARACTERS]}"
        if answer.status_code >= 500 or answer.status_code in _LATER:
            raise DeliveryFailed(text, retry_after_seconds=retry_after(answer.headers.get("Retry-After")))
        raise DeliveryRefused(f"{text}; check the address in {self.spec.url_env}")


def payload(notice: Notice) -> dict[str, object]:
    """A notice in Slack's form: a text for the notification, blocks for the message."""
    body = _cut(escape("\n".join(notice.lines)), _SECTION_CHARACTERS)
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(notice.title, _HEADER_CHARACTERS)}},
    ]
    if body:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": body}})
    if notice.link:
        link = f"<{escape(notice.link)}|Open in Dagster>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]})
    return {"text": escape(_cut(notice.title, _SECTION_CHARACTERS)), "blocks": blocks}


def escape(text: str) -> str:
    """Slack's three control characters, written out."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def retry_after(header: str | None) -> float | None:
    """The seconds a Retry-After header asks for: a number, or a date; None where it says nothing readable."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _cut(text: str, characters: int) -> str:
    """At most so many characters, never half of an escaped one."""
    if len(text) <= characters:
        return text
    kept = text[: characters - 1]
    ampersand = kept.rfind("&")
    if ampersand >= 0 and ";" not in kept[ampersand:] and len(kept) - ampersand < len("&amp;"):
        kept = kept[:ampersand]
    return f"{kept}…"

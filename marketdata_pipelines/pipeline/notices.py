"""When happenings become notices and notices go out: grouped, each once a channel, retried while a channel is down."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.notices import Happening, Notice, NoticeKind, compose
from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.channels import Channel
from marketdata_pipelines.stores.outbox import Delivery, Outbox

logger = logging.getLogger(__name__)
Clock = Callable[[], int]
# What happens together is told together: a short wait before the first notice of a group, a long one after it.
_GATHER_SECONDS = 20
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 30, 3600
_KEEP_TRYING_SECONDS = 7 * 86_400
_KEPT_SECONDS = 30 * 86_400
# One notice a channel refuses may be at fault by itself; after several in a row the channel is.
_REFUSALS_A_TURN = 3


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did: notices made, handed over, and the complaint of each channel that did not take one."""

    made: tuple[Notice, ...]
    sent: tuple[tuple[str, Notice], ...]
    troubles: tuple[tuple[str, str], ...]


def take_turn(
    outbox: Outbox, channels: Sequence[Channel], clock: Clock, *, group_seconds: int, budget_seconds: float
) -> Turn:
    """Make the notices that are due, then hand over as many as the time allows; the rest waits for the next turn."""
    deadline_us = clock() + int(budget_seconds * SECOND_US)
    made = make_notices(outbox, channels, clock(), group_seconds=group_seconds)
    sent: list[tuple[str, Notice]] = []
    troubles: list[tuple[str, str]] = []
    for channel in channels:
        _serve(outbox, channel, clock, deadline_us, sent, troubles)
    outbox.forget(clock() - _KEPT_SECONDS * SECOND_US)
    return Turn(tuple(made), tuple(sent), tuple(troubles))


def make_notices(outbox: Outbox, channels: Sequence[Channel], now_us: int, *, group_seconds: int) -> list[Notice]:
    """One notice for each group whose time has come: at most one in `group_seconds`."""
    made = []
    for group, happenings in outbox.waiting().items():
        last_us = outbox.last_made_us(group)
        rests = last_us is not None and now_us - last_us < group_seconds * SECOND_US
        if rests or now_us - happenings[0].at_us < _GATHER_SECONDS * SECOND_US:
            continue
        notice = compose(happenings)
        outbox.make(notice, happenings, [each.spec.name for each in channels if each.spec.filter.wants(notice)], now_us)
        made.append(notice)
    return made


def record_success(outbox: Outbox, recovery: Happening) -> bool:
    """Note that a job succeeded at `recovery.at_us`; true when that ended a time of failure, which is then told."""
    name = f"success {recovery.subject}"
    if int(outbox.mark(name) or 0) < recovery.at_us:
        outbox.set_mark(name, str(recovery.at_us))
    return _settle(outbox, recovery)


def record_failure(outbox: Outbox, failure: Happening, recovery: Happening) -> None:
    """Note that a job failed. `recovery` is told at once where a later success has been seen already."""
    outbox.add([failure])
    succeeded_us = int(outbox.mark(f"success {failure.subject}") or 0)
    if succeeded_us > failure.at_us:
        _settle(outbox, recovery)


def record_state(outbox: Outbox, name: str, now: Iterable[Happening], over: Callable[[str], Happening | None]) -> None:
    """Tell what has begun and what is over, of conditions that last (late tables).

    `now`: all that hold, subjects unique. `over(subject)` is the good news for one that held before, None for no news.
    """
    holding = {each.subject: each for each in now}
    before = set(filter(None, (outbox.mark(name) or "").split("\n")))
    ended = [over(subject) for subject in sorted(before - set(holding))]
    begun = [each for subject, each in holding.items() if subject not in before]
    if before != set(holding):
        outbox.add([*begun, *filter(None, ended)], marks={name: "\n".join(sorted(holding))})


def trial_notice(now_us: int, host: str) -> Notice:
    """What `marketdata notify --test` sends."""
    line = f"Sent from {host}. Failures, late data, recoveries and refused files will arrive here."
    return Notice(f"test {now_us}", NoticeKind.TEST, "", "marketdata: this is a test", (line,), now_us)


def _settle(outbox: Outbox, recovery: Happening) -> bool:
    failures = outbox.open_failures(recovery.subject, recovery.at_us)
    if failures:
        outbox.settle(failures, recovery)
    return bool(failures)


def _serve(
    outbox: Outbox,
    channel: Channel,
    clock: Clock,
    deadline_us: int,
    sent: list[tuple[str, Notice]],
    troubles: list[tuple[str, str]],
) -> None:
    refusals = 0
    for delivery in outbox.pending(channel.spec.name, clock()):
        if clock() >= deadline_us:
            return
        try:
            channel.send(delivery.notice)
        except DeliveryFailed as error:
            _put_off(outbox, delivery, clock(), error)
            troubles.append((channel.spec.name, str(error)))
            return
        except DeliveryRefused as error:
            _retry_later(outbox, delivery, clock(), str(error))
            troubles.append((channel.spec.name, str(error)))
            refusals += 1
            if refusals == _REFUSALS_A_TURN:
                return
        else:
            outbox.sent(delivery)
            sent.append((channel.spec.name, delivery.notice))


def _put_off(outbox: Outbox, delivery: Delivery, now_us: int, error: DeliveryFailed) -> None:
    """The channel is down: everything for it rests, twice as long each time."""
    failures = outbox.failures(delivery.channel)
    asked = error.retry_after_seconds or 0
    seconds = max(_rest_seconds(failures), min(asked, _LONGEST_REST_SECONDS))
    outbox.rest(delivery.channel, now_us + int(seconds * SECOND_US))
    if _is_too_old(delivery, now_us):
        outbox.give_up(delivery, str(error))
        logger.warning("gave up telling %s: %s (%s)", delivery.channel, delivery.notice.title, error)
    else:
        outbox.put_off(delivery, 0, str(error))


def _retry_later(outbox: Outbox, delivery: Delivery, now_us: int, error: str) -> None:
    """This notice was refused: it rests, the ones behind it have their turn."""
    if _is_too_old(delivery, now_us):
        outbox.give_up(delivery, error)
        logger.warning("gave up telling %s: %s (%s)", delivery.channel, delivery.notice.title, error)
    else:
        outbox.put_off(delivery, now_us + _rest_seconds(delivery.attempts) * SECOND_US, error)


def _rest_seconds(failures: int) -> int:
    return min(_FIRST_REST_SECONDS * 2 ** min(failures, 20), _LONGEST_REST_SECONDS)


def _is_too_old(delivery: Delivery, now_us: int) -> bool:
    return now_us - delivery.made_us > _KEEP_TRYING_SECONDS * SECOND_US

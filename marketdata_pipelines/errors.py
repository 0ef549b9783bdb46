"""The project's exception tree: the class says what the caller can do about it.

Messages follow one form: what happened, where, and what to do next. Bad rows are not
exceptions (they are data, see `domain.rules`).
"""


class MarketDataError(Exception):
    """Any failure this project raises on purpose."""


class SettingsInvalid(MarketDataError):
    """The configuration (feeds.yaml or MARKETDATA_*) is wrong; mend it and run again."""


class SourceError(MarketDataError):
    """A source could not give its data."""


class SourceUnavailable(SourceError):
    """The source did not answer; trying again may help."""


class SourceRejected(SourceError):
    """A file or payload is refused whole; trying again gives the same answer.

    `rule` is the id (see `domain.rules`) under which the refusal is recorded.
    """

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_source_rejected, (str(self), self.rule))


def _rebuild_source_rejected(message: str, rule: str) -> "SourceRejected":
    return SourceRejected(message, rule=rule)


class StoreError(MarketDataError):
    """The lake could not do what was asked."""


class StoreUnavailable(StoreError):
    """A server did not answer; trying again may help."""


class PartitionMissing(StoreError):
    """Nothing is stored under that table and partition; backfill it first."""


class PartitionConflict(StoreError):
    """What is stored does not match what the caller built on; read again and retry."""


class ReferenceConflict(StoreError):
    """Reference data contradict each other where an answer is asked for; mend them, or ask for other dates."""


class BarsInvalid(MarketDataError):
    """A table of bars breaks the contract its caller promised."""


class BarsNotSorted(BarsInvalid):
    """(symbol, ts) does not strictly increase."""


class SchemaMismatch(BarsInvalid):
    """Columns or types differ from the declared schema."""


class DeliveryError(MarketDataError):
    """A notice could not be handed over; the message names the channel's host, never its secrets."""


class DeliveryFailed(DeliveryError):
    """The channel did not answer or asked to wait; trying again may help, after `retry_after_seconds` where given."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeliveryRefused(DeliveryError):
    """The channel answered and refused this notice; mend its settings."""


class WorkFailed(MarketDataError):
    """Part of the asked work failed or was blocked; the message names the parts."""

"""What a check says: records free of any engine's types, so that every caller can show them."""

from dataclasses import dataclass, field

Facts = dict[str, int | float | str]
# A record of what a verdict is about, such as one of the rows; the records of one list have the same keys.
Example = dict[str, int | float | str | None]


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check an asset declares; a blocking one withholds everything downstream of its partition."""

    name: str
    asset: str
    blocking: bool
    text: str


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check over one partition. `examples` are the first of what it found, for a person to look at."""

    name: str
    asset: str
    passed: bool
    blocking: bool
    message: str
    facts: Facts = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

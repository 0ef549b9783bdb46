"""Keys name what they hold, whatever text a symbol is, and no two things have the same."""

from hypothesis import given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from marketdata_pipelines.stores.redis.keys import (
    BarsKey,
    Group,
    Keys,
    escape,
    group_of,
    pointer_name,
    pointer_of,
    unescape,
)
from marketdata_pipelines_tests.stores.redis.bars import GROUP

TEXTS = st.text(max_size=12) | st.sampled_from(["BTC/USD", "BRK.B", "a:b", "{x}", "", "%", "ES H4", "~", "é", "\ud800"])
BARS_KEYS = st.builds(BarsKey, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)


@settings(max_examples=200)
@given(TEXTS, BARS_KEYS)
def test_a_key_is_read_back_as_what_it_names(namespace: str, key: BarsKey) -> None:
    keys = Keys(namespace)

    assert keys.parse_bars(keys.bars(key)) == key


@settings(max_examples=200)
@given(BARS_KEYS, BARS_KEYS)
def test_two_things_have_two_keys(one: BarsKey, other: BarsKey) -> None:
    keys = Keys("marketdata")

    assert (keys.bars(one) == keys.bars(other)) == (one == other)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_group_is_read_back_from_its_name(feed: str, table: str, partition: str, revision: str) -> None:
    group = Group(feed, table, partition, revision)

    assert group_of(group.name) == group
    assert pointer_of(pointer_name(feed, table)) == (feed, table)


@given(TEXTS)
def test_an_escaped_text_has_neither_colon_nor_brace_nor_space(text: str) -> None:
    escaped = escape(text)

    assert not set(escaped) & set(":{} ~\n")
    assert escaped.isascii()
    assert unescape(escaped) == text


def test_a_key_reads_as_documented() -> None:
    key = Keys("marketdata").bars(BarsKey("us_equities_1m", "bars_1h", "BTC/USD", "2024-03-08", "0123456789abcdef"))

    assert key == "marketdata:v1:us_equities_1m:bars_1h:{BTC%2FUSD}:2024-03-08:0123456789abcdef"


def test_all_of_a_symbol_is_on_one_node_of_a_cluster() -> None:
    keys = Keys("marketdata")
    tables = [("bars_1h", "2024-03-08"), ("bars_1h", "2024-03-11"), ("validated_bars", "2024-03-08")]
    slots = {key_slot(keys.bars(BarsKey("f", table, "AAPL", partition, "r")).encode()) for table, partition in tables}

    assert len(slots) == 1


def test_other_keys_are_no_bars_and_differ() -> None:
    keys = Keys("marketdata")
    others = [
        keys.whole(GROUP),
        keys.members(GROUP),
        keys.revisions(GROUP.feed, GROUP.table),
        *keys.accounts(),
        keys.pointers(),
        keys.changed(),
        keys.named("processes", "7"),
    ]

    assert len(set(others)) == len(others)
    assert [keys.parse_bars(key) for key in others] == [None] * len(others)
    assert keys.parse_bars(Keys("other").bars_of(GROUP, ["AAPL"])[0]) is None

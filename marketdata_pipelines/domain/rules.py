"""Every rule a row or a file can break: its id, what it means, and the defect kinds it names.

This is the one list: parsers, row rules, reports and scoring take ids from here. How a rule is
computed is not here (see `validation` and the parsers).
"""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    ROW = "row"
    FILE = "file"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: `text` completes the sentence "rejected because …"; `kinds` are defect kinds it names."""

    id: str
    scope: Scope
    text: str
    kinds: tuple[str, ...] = ()


_ROW, _FILE, _WARN = Scope.ROW, Scope.FILE, Scope.WARNING

RULES: tuple[Rule, ...] = (
    # What the parser could not read.
    Rule("row_too_short", _ROW, "the line has fewer fields than the header", ("ragged_short", "truncated_last_line")),
    Rule("row_too_long", _ROW, "the line has more fields than the header", ("ragged_long",)),
    Rule("line_oversized", _ROW, "the line is longer than the limit", ("huge_line",)),
    Rule("nul_byte", _ROW, "the line holds a NUL byte", ("nul_bytes",)),
    Rule("invalid_encoding", _ROW, "the line is not valid text in the file's encoding", ("mixed_encoding",)),
    Rule("unclosed_quote", _ROW, "a quote is opened and never closed", ("unclosed_quote",)),
    Rule("invalid_json", _ROW, "the line is not a JSON object", ()),
    Rule("repeated_header", _ROW, "the line repeats the header", ("repeated_header",)),
    Rule("footer_row", _ROW, "the line is a total or a footer, not a bar", ("footer_total",)),
    Rule("unparsable_timestamp", _ROW, "the time cannot be read in the file's format", ("bad_timestamp",)),
    Rule("timestamp_unit", _ROW, "the epoch is in another unit than the file's", ("epoch_unit_mix",)),
    Rule(
        "ambiguous_date", _ROW, "day and month are in another order than in the file's other rows", ("date_format_mix",)
    ),
    Rule("local_time_nonexistent", _ROW, "the local time was skipped by a clock change", ("dst_nonexistent",)),
    Rule(
        "local_time_ambiguous",
        _ROW,
        "the local time occurred twice and the file's order does not say which",
        ("dst_ambiguous",),
    ),
    Rule("missing_price", _ROW, "a price is missing", ("nan_or_missing_price",)),
    Rule("unparsable_price", _ROW, "a price is not a number", ("price_bad_format", "nan_or_missing_price")),
    Rule("unparsable_volume", _ROW, "the volume is not a number", ("volume_bad_format",)),
    Rule("volume_format", _ROW, "the volume is written unlike the column's other values", ("volume_bad_format",)),
    Rule("unparsable_field", _ROW, "an optional field is not a number", ()),
    # Symbols.
    Rule("symbol_missing", _ROW, "the symbol is empty or a null marker", ("symbol_empty_or_sql",)),
    Rule("symbol_case", _ROW, "the symbol differs from the file's others by case or by blanks", ("symbol_case_space",)),
    Rule("symbol_formula", _ROW, "the symbol would run as a spreadsheet formula", ("symbol_csv_injection",)),
    Rule(
        "symbol_path", _ROW, "the symbol looks like a path, a device name, or is too long", ("symbol_path_traversal",)
    ),
    Rule("symbol_unicode", _ROW, "the symbol has characters outside ASCII", ("symbol_unicode", "mixed_encoding")),
    Rule(
        "symbol_hostile",
        _ROW,
        "the symbol has characters no symbol has",
        ("symbol_empty_or_sql", "symbol_csv_injection", "symbol_path_traversal"),
    ),
    Rule("symbol_unknown", _ROW, "the symbol is not in the feed's list", ("symbol_unknown",)),
    # Values.
    Rule("price_not_finite", _ROW, "a price is NaN or infinite", ("nan_or_missing_price",)),
    Rule("price_not_positive", _ROW, "a price is zero or negative", ("negative_price", "zero_price")),
    Rule("high_below_low", _ROW, "high is below low", ("high_lt_low", "swapped_columns")),
    Rule("price_outside_range", _ROW, "open or close lies outside [low, high]", ("open_close_outside_range",)),
    Rule("volume_negative", _ROW, "volume is negative", ("negative_volume",)),
    Rule("volume_out_of_range", _ROW, "volume is larger than any bar of this asset class has", ("volume_overflow",)),
    Rule("volume_not_finite", _ROW, "volume is NaN or infinite", ("volume_bad_format",)),
    Rule("vwap_outside_range", _ROW, "vwap lies outside [low, high]", ("vwap_outside_range",)),
    Rule("trade_count_negative", _ROW, "trade count is negative", ("negative_trade_count",)),
    # Time.
    Rule("off_interval", _ROW, "the bar does not start on the feed's interval", ("ts_off_interval",)),
    Rule("out_of_session", _ROW, "the exchange was closed", ("out_of_session", "label_end_convention")),
    Rule("future", _ROW, "the bar starts after it became known", ("future_timestamp",)),
    Rule("unfinished", _ROW, "the bar ends after it was fetched", ("unfinished_bar",)),
    # Identity.
    Rule("duplicate_exact", _ROW, "the same row came before in this file", ("dup_exact",)),
    Rule(
        "duplicate_conflict",
        _ROW,
        "a row before it in this file has the same symbol and time with other values",
        ("dup_conflict",),
    ),
    Rule("superseded", _ROW, "a later ingest brought this symbol and time again", ()),
    Rule("deleted", _ROW, "a later ingest replaced this window and left the row out", ()),
    # Files refused whole.
    Rule("empty_file", _FILE, "the file is empty", ("empty_file",)),
    Rule("no_rows", _FILE, "the file has a header and no rows", ("header_only",)),
    Rule("missing_column", _FILE, "a needed column is not there", ("missing_column",)),
    Rule("duplicate_header", _FILE, "two columns have the same name", ("duplicate_header_names",)),
    Rule("swapped_columns", _FILE, "high is below low in most rows: the columns are swapped", ("swapped_columns",)),
    Rule(
        "compression_damaged",
        _FILE,
        "the compressed data ends early or fails its checksum",
        ("truncated_gzip", "gzip_bad_crc"),
    ),
    Rule("container_damaged", _FILE, "the file is cut off or damaged", ("truncated_parquet",)),
    Rule("unknown_format", _FILE, "the file is in no format that can be recognised", ()),
    Rule("unreadable_times", _FILE, "no time in the file can be read", ("bad_timestamp",)),
    Rule("wrong_kind", _FILE, "the file holds something else than the feed declares", ()),
    # Vendors' answers.
    Rule("vendor_refused", _FILE, "the vendor refuses the request", ()),
    Rule("out_of_reach", _FILE, "the vendor does not serve that range or interval", ()),
    # Files accepted with a guess that should be pinned in feeds.yaml.
    Rule("header_guessed", _WARN, "the file has no header; its columns were guessed", ("no_header",)),
    Rule("decimal_comma", _WARN, "numbers have a decimal comma", ("decimal_comma",)),
    Rule("transcoded", _WARN, "the file is not UTF-8 and was converted", ("utf16",)),
    Rule("not_compressed", _WARN, "the name says compressed, the content is not", ("not_gzip",)),
    Rule(
        "naive_timestamp",
        _WARN,
        "times carry no zone and the feed names none; taken as UTC",
        ("naive_timestamp_no_tz",),
    ),
    Rule("price_as_string", _WARN, "prices are stored as text", ("price_as_string",)),
)

RULE_BY_ID = {rule.id: rule for rule in RULES}
ROW_RULES = tuple(rule.id for rule in RULES if rule.scope is Scope.ROW)
_BIT = {rule_id: 1 << position for position, rule_id in enumerate(ROW_RULES)}


def rule_bit(rule_id: str) -> int:
    """The bit that stands for a row rule in a 64-bit mask."""
    return _BIT[rule_id]


def mask_to_rules(mask: int) -> str:
    """`;`-separated ids of the row rules in a mask, in the order of `RULES`."""
    return ";".join(rule_id for rule_id in ROW_RULES if mask & _BIT[rule_id])


def rules_to_mask(text: str | None) -> int:
    """The mask of `;`-separated row rule ids; 0 for None or an empty text."""
    mask = 0
    for rule_id in (text or "").split(";"):
        if rule_id:
            mask |= _BIT[rule_id]
    return mask


def defect_kinds() -> dict[str, list[str]]:
    """{rule id: defect kinds it names}, for scoring a validation run against labelled files."""
    return {rule.id: list(rule.kinds) for rule in RULES if rule.kinds}

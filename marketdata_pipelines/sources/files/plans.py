"""The record of how one file is read, and what of it was guessed."""

from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import DataKind, Label
from marketdata_pipelines.sources.parsed import Finding

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How one file is read.

    `format`: csv, json, jsonl, parquet or excel. `columns`: (source column, field), two columns joined by `+`.
    `time_format`: `iso`, `epoch_s|ms|us|ns` or a strptime format. `timezone`: the zone of naive times, None
    where every time carries one or only dates count. `symbol`: of every row, where no column has it.
    `guessed`: names of the attributes that were guessed rather than pinned.
    """

    path: str
    kind: DataKind
    format: str
    compression: str | None
    encoding: str
    delimiter: str | None
    header: bool
    decimal: str
    columns: tuple[tuple[str, str], ...]
    time_format: str
    timezone: str | None
    label: Label
    symbol: str | None
    integer_volume: bool
    guessed: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def sources(self) -> dict[str, str]:
        """{field: source column}."""
        return {name: source for source, name in self.columns}

    def to_source_yaml(self) -> dict[str, object]:
        """What to write under `source:` of a feed so that nothing is guessed any more."""
        pinned: dict[str, object] = {"format": self.format}
        if self.format == "csv":
            pinned["encoding"] = self.encoding
            pinned["delimiter"] = self.delimiter
            pinned["header"] = self.header
            pinned["decimal"] = self.decimal
        pinned["columns"] = dict(self.columns)
        pinned["time_format"] = self.time_format
        if self.timezone is not None:
            pinned["timezone"] = self.timezone
        pinned["label"] = str(self.label)
        if self.symbol is not None:
            pinned["symbol"] = self.symbol
        return pinned

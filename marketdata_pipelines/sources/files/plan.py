"""Recognising how one file is to be read: format, columns, times, symbol. What the feed pins is never guessed.

Each format's sample comes from its own module; here the samples become plans.
"""

from marketdata_pipelines.domain.feeds import AssetClass, Feed
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.files import filenames, recognised, sampling
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.recognised import TimePlan
from marketdata_pipelines.sources.files.samples import Container, Sample
from marketdata_pipelines.sources.parsed import Finding

__all__ = ["FilePlan", "plan_file"]

_WHOLE_UNITS = (AssetClass.EQUITY, AssetClass.ETF, AssetClass.INDEX, AssetClass.FUTURE, AssetClass.OPTION)


def plan_file(path: str, feed: Feed) -> FilePlan:
    """Look at a file's first rows and decide how to read it.

    Errors: SourceRejected where the file must be refused whole (`rule` says why), SourceUnavailable where it
    cannot be read, SettingsInvalid where the feed pins something impossible.
    """
    container, sample = sampling.sample_file(path, feed.source)
    if not sample.rows:
        raise SourceRejected(f"{path} has a header and no rows; nothing to ingest", rule="no_rows")
    fields, header_zone, columns_guessed = recognised.recognise_fields(path, feed, container, sample)
    kind = recognised.recognise_kind(path, feed, fields, sample)
    time_plan = recognised.recognise_times(path, feed, kind, fields["ts"], header_zone, sample)
    symbol, symbol_guessed = _symbol(path, feed, fields, sample)
    recognised.refuse_swapped(path, fields, sample, container.decimal)
    warned = recognised.column_findings(
        kind, fields, sample, time_plan, columns_guessed=columns_guessed, header_pinned=feed.source.header is False
    )
    findings = [*container.findings, *warned]
    return FilePlan(
        path=path,
        kind=kind,
        format=container.format,
        compression=container.compression,
        encoding=container.encoding,
        delimiter=container.delimiter,
        header=container.header,
        decimal=container.decimal,
        columns=tuple((source, field) for field, source in fields.items()),
        time_format=time_plan.time_format,
        timezone=time_plan.zone,
        label=feed.source.label,
        symbol=symbol,
        integer_volume=feed.asset_class in _WHOLE_UNITS and recognised.is_integer_volume(fields, sample),
        guessed=_guessed(container, columns_guessed, time_plan, symbol_guessed),
        findings=tuple(Finding(rule, f"{path}: {text}") for rule, text in findings),
    )


def _guessed(container: Container, columns_guessed: bool, times: TimePlan, symbol_guessed: bool) -> tuple[str, ...]:
    found = list(container.guessed)
    found += ["columns"] if columns_guessed else []
    found += times.guessed
    found += ["symbol"] if symbol_guessed else []
    return tuple(dict.fromkeys(found))


def _symbol(path: str, feed: Feed, fields: dict[str, str], sample: Sample) -> tuple[str | None, bool]:
    """The constant symbol and whether it was guessed; None where a column or the file's parts have it."""
    source = feed.source
    if source.symbol is not None:
        if not source.symbol:
            raise SettingsInvalid(f"{feed.name}: source.symbol is empty; give a symbol or leave the key out")
        fields.pop("symbol", None)
        return source.symbol, False
    if source.symbol_from_name is not None:
        found = filenames.symbol_from_pattern(path, source.symbol_from_name)
        if not found:
            raise SourceRejected(
                f"{path}: its name does not match symbol_from_name {source.symbol_from_name!r}; "
                "mend the pattern in feeds.yaml or rename the file",
                rule="missing_column",
            )
        fields.pop("symbol", None)
        return found, False
    if "symbol" in fields or sample.has_symbols:
        return None, False
    guess = sample.symbol or filenames.symbol_from_name(path)
    if guess is None or (source.symbols and guess not in source.symbols):
        raise SourceRejected(
            f"{path} has no symbol column (it has {', '.join(sample.sources)}) and its name tells none; set "
            "`symbol: NAME` or `symbol_from_name: '^([A-Z]+)_'` under `source` in feeds.yaml",
            rule="missing_column",
        )
    return guess, True

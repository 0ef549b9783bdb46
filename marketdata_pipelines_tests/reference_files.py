"""Files of corporate actions, and taking them in; nothing here asserts."""

from pathlib import Path

from marketdata_pipelines.domain.references import Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, TakenFile, take_in_reference
from marketdata_pipelines.pipeline.references import known_actions
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import us

ACTIONS = Reference("acts", ReferenceKind.CORPORATE_ACTIONS)
HEADER = "symbol,ex_date,kind,ratio,amount\n"
SPLIT = "AAPL,2014-06-09,split,7,\n"
DIVIDEND = "AAPL,2014-05-08,cash_dividend,,3.29\n"
BAD = "AAPL,2014-99-08,cash_dividend,,3.29\n"


def write(folder: Path, name: str, rows: str, header: str = HEADER) -> str:
    """A file's path."""
    path = folder / name
    path.write_text(header + rows, "utf-8")
    return str(path)


def take(
    lake: Lake, *paths: str, at: str = "2020-01-01", mode: ReferenceMode | None = None, reference: Reference = ACTIONS
) -> list[TakenFile]:
    """Take files in that all become known at one instant, by a run of that name."""
    return take_in_reference(lake, reference, list(paths), IntakeRun(f"run {at}", us(at)), mode)


def statuses(taken: list[TakenFile]) -> list[str]:
    return [str(file.status) for file in taken]


def known(lake: Lake, reference: Reference = ACTIONS) -> list[str]:
    """What stands, as `AAPL 2014-06-09 split`."""
    rows = known_actions(lake, reference).to_pylist()
    return [f"{row['symbol']} {row['ex_date']} {row['kind']}" for row in rows]

"""Writes an answer where it was asked for: terminal table, CSV, JSON or Parquet, to standard output or a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from marketdata_pipelines.cli.options import Format

if TYPE_CHECKING:
    import pyarrow as pa


def write_answer(table: "pa.Table", form: Format, out: Path | None, *, title: str) -> None:
    """Write a table; `title` heads it in a terminal. What it says of itself goes to standard error.

    Errors: BadParameter for Parquet on a terminal; StoreError when `out` cannot be written.
    """
    _tell_notes(table)
    if out is None:
        _to_standard_output(table, form, title)
        return
    from marketdata_pipelines.cli.atomic import whole_file

    with whole_file(out) as sink:
        _write(table, form, sink, title)
    from marketdata_pipelines.cli.consoles import counted

    print(f"{counted(table.num_rows, 'row')} written to {out}", file=sys.stderr)


def _tell_notes(table: "pa.Table") -> None:
    from marketdata_pipelines.serving.notes import answer_notes

    for note in answer_notes(table):
        print(f"note: {note}", file=sys.stderr)


def _to_standard_output(table: "pa.Table", form: Format, title: str) -> None:
    if form is Format.TABLE:
        from marketdata_pipelines.cli.terminal import print_table

        print_table(table, title)
        return
    if form is Format.PARQUET and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is not for a terminal; give --out FILE or redirect the output")
    _write(table, form, sys.stdout.buffer, title)
    sys.stdout.flush()


def _write(table: "pa.Table", form: Format, sink: BinaryIO, title: str) -> None:
    if form is Format.PARQUET:
        import pyarrow.parquet as pq

        pq.write_table(table, sink, compression="zstd")
        return
    if form is Format.TABLE:
        from marketdata_pipelines.cli.terminal import table_text

        sink.write(table_text(table, title).encode())
        return
    from marketdata_pipelines.cli.records import csv_bytes, json_bytes

    for piece in csv_bytes(table) if form is Format.CSV else json_bytes(table):
        sink.write(piece)

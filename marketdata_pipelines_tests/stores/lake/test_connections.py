"""Connections that stay open: one a thread and process, on the file that is there."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from marketdata_pipelines.stores.lake.connections import Connections


def connections(folder: Path) -> Connections:
    made = Connections(folder / "catalog.sqlite")
    made.get().execute("create table if not exists seen (who text)")
    return made


def test_a_thread_keeps_its_connection_and_shares_none(tmp_path: Path) -> None:
    shared = connections(tmp_path)

    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(shared.get).result()

    assert shared.get() is shared.get()
    assert elsewhere is not shared.get()


def test_a_replaced_file_is_opened_anew(tmp_path: Path) -> None:
    shared = connections(tmp_path)
    shared.get().execute("insert into seen values ('old')")
    fresh = sqlite3.connect(tmp_path / "other.sqlite")
    fresh.execute("create table seen (who text)")
    fresh.execute("insert into seen values ('new')")
    fresh.commit()
    fresh.close()

    for ending in ("-wal", "-shm"):
        (tmp_path / f"catalog.sqlite{ending}").unlink(missing_ok=True)
    (tmp_path / "other.sqlite").replace(tmp_path / "catalog.sqlite")

    assert [row["who"] for row in shared.get().execute("select who from seen")] == ["new"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_has_a_connection_of_its_own(tmp_path: Path) -> None:
    shared = connections(tmp_path)
    shared.get().execute("insert into seen values ('parent')")

    child = get_context("fork").Process(target=_insert, args=(shared,))
    child.start()
    child.join(60)

    assert child.exitcode == 0
    assert [row["who"] for row in shared.get().execute("select who from seen order by 1")] == ["child", "parent"]


def _insert(shared: Connections) -> None:
    shared.get().execute("insert into seen values ('child')")


_READS = """
import os, sys
from pathlib import Path
from marketdata_pipelines.stores.lake.connections import Connections
shared = Connections(Path(sys.argv[1]))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print([row["who"] for row in shared.get().execute("select who from seen")])
"""


def test_a_lake_nobody_may_write_to_can_be_read() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        shared = connections(folder)
        shared.get().execute("insert into seen values ('here')")
        del shared
        folder.chmod(0o555)

        found = subprocess.run(
            [sys.executable, "-c", _READS, str(folder / "catalog.sqlite")], capture_output=True, text=True, check=False
        )
        folder.chmod(0o755)

    assert found.stderr == ""
    assert found.stdout.strip() == "['here']"

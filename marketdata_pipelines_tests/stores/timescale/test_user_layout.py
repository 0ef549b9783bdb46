"""What SQL users build upon an asset's table, and tables of the first layout, while large partitions come and go."""

import pytest

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale import user_leaves
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.user_tables import UserTables
from marketdata_pipelines_tests.store_databases import command
from marketdata_pipelines_tests.stores.timescale.score_tables import (
    LARGE,
    MANY,
    TABLE,
    ask,
    do,
    first_layout,
    leaves,
    rows,
    sums,
)


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_leaves, "_ROWS_OF_A_LEAF", LARGE)


@pytest.fixture
def tables(store_database: Database) -> UserTables:
    return UserTables(store_database, pause=lambda _: None)


def test_a_table_of_the_first_layout_goes_on_and_gets_leaves_with_the_first_large_partition(
    tables: UserTables, store_database: Database, store_dsn: str
) -> None:
    first_layout(store_database, {"a": MANY, "b": 3, "c": MANY})
    do(store_database, "grant select on research.scores to public")

    tables.replace(TABLE, "b", rows(4, 2), "two")
    small = leaves(store_dsn)
    tables.replace(TABLE, "a", rows(MANY, 2), "two")

    assert small == {}
    assert set(leaves(store_dsn)) == {"FOR VALUES IN ('a')", "DEFAULT"}
    assert sums(store_dsn) == {"a": (MANY, 2), "b": (4, 2), "c": (MANY, 1)}
    assert tables.revisions(TABLE) == {"a": "two", "b": "two", "c": "old"}
    rights = "select has_table_privilege('pg_monitor', 'research.scores', 'select')"
    assert ask(store_dsn, rights) == [(True,)]


@pytest.mark.parametrize(
    "bound",
    [
        "create view research.best as select partition, max(value) value from research.scores group by 1",
        "comment on table research.scores is 'what we think of them'",
    ],
)
def test_a_table_of_the_first_layout_that_others_hold_on_to_stays_what_it_is(
    tables: UserTables, store_database: Database, store_dsn: str, bound: str
) -> None:
    first_layout(store_database, {"a": MANY})
    do(store_database, bound)

    tables.replace(TABLE, "a", rows(MANY, 2), "two")
    tables.replace(TABLE, "b", rows(MANY, 3), "two")

    assert leaves(store_dsn) == {}
    assert sums(store_dsn) == {"a": (MANY, 2), "b": (MANY, 3)}


def test_views_upon_the_table_go_on_seeing_every_leaf(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    command(store_dsn, "create view research.best as select sum(value)::bigint total from research.scores")

    tables.replace(TABLE, "a", rows(MANY, 2), "two")
    tables.replace(TABLE, "b", rows(MANY, 1), "one")

    assert ask(store_dsn, "select total from research.best") == [(3 * MANY,)]


def test_a_view_upon_a_leaf_itself_goes_on_seeing_its_rows(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    (leaf,) = leaves(store_dsn).values()
    command(store_dsn, f"create view research.of_a as select sum(value)::bigint total from research.{leaf}")

    tables.replace(TABLE, "a", rows(MANY, 2), "two")

    assert ask(store_dsn, "select total from research.of_a") == [(2 * MANY,)]


def test_triggers_see_every_row(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    command(
        store_dsn,
        "create table research.heard (value bigint)",
        "grant all on research.heard to public",
        "create function research.hear() returns trigger language plpgsql as"
        " 'begin insert into research.heard values (new.value); return new; end'",
        "create trigger hear before insert on research.scores for each row execute function research.hear()",
    )

    tables.replace(TABLE, "a", rows(MANY, 2), "two")

    assert ask(store_dsn, "select count(*), min(value) from research.heard") == [(MANY, 2)]
    assert sums(store_dsn) == {"a": (MANY, 2)}


def test_an_index_of_the_users_is_on_every_new_leaf(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    command(store_dsn, "create index on research.scores (value)")

    tables.replace(TABLE, "a", rows(MANY, 2), "two")

    (leaf,) = leaves(store_dsn).values()
    found = ask(store_dsn, f"select count(*) from pg_indexes where tablename = '{leaf}'")
    assert found == [(2,)]


def test_a_table_of_somebody_else_who_lets_it_be_written_gets_no_leaves(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    before = leaves(store_dsn)
    command(
        store_dsn,
        "alter table research.scores owner to current_user",
        "grant all on research.scores to marketdata_writer",
    )

    tables.replace(TABLE, "a", rows(MANY + 1, 2), "two")

    assert leaves(store_dsn) == before
    assert sums(store_dsn) == {"a": (MANY + 1, 2)}


def test_a_table_that_was_dropped_is_made_again(tables: UserTables, store_dsn: str) -> None:
    tables.replace(TABLE, "a", rows(MANY, 1), "one")
    command(store_dsn, "drop table research.scores")
    gone = tables.read(TABLE, "a"), tables.revisions(TABLE)

    tables.replace(TABLE, "b", rows(MANY, 1), "one")

    assert gone == (None, {})
    assert tables.revisions(TABLE) == {"b": "one"}


def test_a_table_in_the_place_of_the_ledger_is_left_alone(tables: UserTables, store_database: Database) -> None:
    do(store_database, "create schema research")
    do(store_database, "create table research.scores__partitions (id bigint)")

    with pytest.raises(SchemaMismatch, match=r"research\.scores__partitions, which is there already"):
        tables.replace(TABLE, "a", rows(3, 1), "one")

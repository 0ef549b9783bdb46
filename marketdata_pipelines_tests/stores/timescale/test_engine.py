import psycopg
import pytest

from marketdata_pipelines.stores.timescale.engine import Engine, detect, judge


def _judged(version: int = 180004, extension: str = "", licence: str = "", *, is_standby: bool = False) -> Engine:
    return judge(version, extension, licence, is_standby=is_standby, only_reads=False)


def test_the_engine_that_runs_is_detected(store_dsn: str) -> None:
    with psycopg.connect(store_dsn) as connection:
        engine = detect(connection)
        extensions = [name for (name,) in connection.execute("select extname from pg_extension").fetchall()]

    assert engine.is_timescale == ("timescaledb" in extensions)
    assert engine.has_columnstore == engine.is_timescale
    assert engine.is_supported
    assert not engine.is_read_only
    assert engine.remarks == ()
    assert ("TimescaleDB" in engine.label) == engine.is_timescale


def test_an_extension_of_the_community_licence_is_used() -> None:
    engine = _judged(180004, "2.29.2", "timescale")

    assert engine.label == "TimescaleDB 2.29.2 on PostgreSQL 18.4"
    assert engine.is_timescale
    assert engine.has_columnstore
    assert engine.remarks == ()


def test_the_apache_licence_is_used_as_plain_postgresql_and_says_so() -> None:
    engine = _judged(160010, "2.20.0", "apache")

    assert engine.label == "PostgreSQL 16.10"
    assert not engine.is_timescale
    assert not engine.has_columnstore
    assert "Apache-only licence" in engine.remarks[0]


@pytest.mark.parametrize("version", ["2.13.1", "2.9.0", "1.7.5"])
def test_an_old_extension_is_used_as_plain_postgresql_and_says_so(version: str) -> None:
    engine = _judged(140020, version, "timescale")

    assert not engine.is_timescale
    assert f"TimescaleDB {version} is older than 2.14" in engine.remarks[0]


def test_an_extension_before_the_columnstore_compresses_nothing() -> None:
    engine = _judged(150010, "2.17.2", "timescale")

    assert engine.is_timescale
    assert not engine.has_columnstore
    assert "nothing is compressed" in engine.remarks[0]


@pytest.mark.parametrize("version", ["2.18.0-rc1", "2.30.0-dev", "3.0.0"])
def test_odd_and_future_versions_are_read(version: str) -> None:
    assert _judged(180004, version, "timescale").has_columnstore


def test_postgresql_before_14_is_not_supported() -> None:
    engine = _judged(130021)

    assert not engine.is_supported
    assert engine.label == "PostgreSQL 13.21"
    assert engine.remarks == ("PostgreSQL 14 or newer is needed",)


def test_a_standby_only_reads() -> None:
    engine = _judged(180004, "2.29.2", "timescale", is_standby=True)

    assert engine.is_timescale
    assert engine.is_read_only
    assert "standby" in engine.remarks[0]


def test_a_login_whose_transactions_only_read_is_noticed(store_dsn: str) -> None:
    with psycopg.connect(store_dsn, options="-c default_transaction_read_only=on") as connection:
        engine = detect(connection)

    assert engine.is_read_only
    assert "nothing can be published" in engine.remarks[0]

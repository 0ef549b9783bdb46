"""New databases of both engines for sensors that publish."""

from marketdata_pipelines_tests.store_databases import store_database, store_dsn

__all__ = ["store_database", "store_dsn"]

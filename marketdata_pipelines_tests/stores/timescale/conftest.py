"""Fixtures of the SQL store's tests: a new database on each engine, and a server that may be stopped."""

from marketdata_pipelines_tests.store_databases import own_server, store_database, store_dsn

__all__ = ["own_server", "store_database", "store_dsn"]

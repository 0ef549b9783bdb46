-- Adds to the ledger what an ingest asked a vendor for: JSON of PulledWindow, null for files.
alter table ingest add column pulled text;

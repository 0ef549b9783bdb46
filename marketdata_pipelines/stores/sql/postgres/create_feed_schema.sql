-- The schema of one feed.
create schema if not exists {schema}

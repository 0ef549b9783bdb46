-- Adds to the index the files beside a table's own: JSON of Deltas, oldest first, null for none.
alter table stored add column deltas text;

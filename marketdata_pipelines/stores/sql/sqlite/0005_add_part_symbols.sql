-- Which symbols a raw part has rows of, where they are few (a JSON list); null: not known, or many.
alter table raw_part add column symbols text

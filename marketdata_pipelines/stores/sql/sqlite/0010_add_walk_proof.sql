-- Adds to a partition's last walk its row counts and checks: JSON of WalkProof, null where some symbols only were walked.
alter table walk add column proof text;

-- grain: one row an ingest (and raw part) of the contents that ever brought rows for a partition; key (seq, tbl), in
-- ledger order. The part's columns are null where the ingest brought the partition nothing.
select
    i.*,
    p.partition,
    p.tbl,
    p.part_id,
    p.path as part_path,
    p.rows as part_rows,
    p.symbols
from ingest i
left join raw_part p on p.seq = i.seq and p.partition = :partition
where i.feed = :feed
  and i.sha256 in (
      select j.sha256
      from raw_part q
      join ingest j on j.seq = q.seq
      where q.feed = :feed and q.partition = :partition
  )
order by i.known_at_us, i.seq

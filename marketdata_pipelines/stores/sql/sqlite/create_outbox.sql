-- The outbox: happening, one row for each thing to tell; notice, one for each message; delivery, one for each
-- message and channel; channel, one for each way out that has failed; mark, one for each remembered value.
create table happening (
    id text primary key,
    grp text not null,
    feed text not null,
    subject text not null,
    at_us integer not null,
    body text not null,
    notice integer,
    settled integer not null default 0
) without rowid;
create index happening_waiting on happening (grp, at_us) where notice is null;
create index happening_open on happening (subject) where settled = 0;

create table notice (
    seq integer primary key autoincrement,
    grp text not null,
    made_us integer not null,
    body text not null
);
create index notice_group on notice (grp, made_us);

create table delivery (
    notice integer not null,
    channel text not null,
    state text not null,
    attempts integer not null default 0,
    next_us integer not null default 0,
    error text not null default '',
    primary key (notice, channel)
) without rowid;
create index delivery_open on delivery (channel, notice) where state = 'pending';

create table channel (
    name text primary key,
    failures integer not null,
    next_us integer not null
) without rowid;

create table mark (
    name text primary key,
    value text not null
) without rowid;

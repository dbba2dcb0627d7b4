-- A server's own state. Written by one writer, each commit flushed to the disk before it is acknowledged.

create table meta (
    key text primary key,
    value text not null
) strict, without rowid;

-- The log: a commit adds one row for each server that its records came from.
create table segment (
    first_position integer primary key,
    count integer not null,
    -- The other server's log that the records came from; sixteen zeros for those that came first here.
    source blob not null,
    -- When it was committed here, in ms since 1970 UTC.
    at integer not null,
    -- The records: a postcard sequence of runs.
    runs blob not null
) strict;

-- Where each run of an origin's records is in the log.
create table run (
    origin blob not null,
    first integer not null,
    last integer not null,
    segment integer not null references segment (first_position),
    primary key (origin, first)
) strict, without rowid;

-- The folded state as of the position in meta.state_position, piece by piece.
create table state (
    kind integer not null,
    key blob not null,
    value blob not null,
    primary key (kind, key)
) strict, without rowid;

-- Every revision of the zone's settings that this server has worked by. The present one is the last row.
create table zone_settings (
    number integer primary key autoincrement,
    epoch integer not null,
    n integer not null,
    hash blob not null,
    document text not null
) strict;

-- The last runs of the synchronizations.
create table synchronization_run (
    number integer primary key autoincrement,
    run blob not null unique,
    kind text not null,
    succeeded integer not null,
    view text not null
) strict;

-- Archived session events, each once: an event is known by its origin and its number there.
create table archived_event (
    origin blob not null,
    seq integer not null,
    kind integer not null,
    machine text not null,
    -- In ms since 1970 UTC, by the writer's clock.
    at integer not null,
    user_name text,
    -- As it came.
    payload blob not null,
    primary key (origin, seq)
) strict, without rowid;

create index archived_event_at on archived_event (at);
create index archived_event_user on archived_event (user_name, at);
create index archived_event_machine on archived_event (machine, at);

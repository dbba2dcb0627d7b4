-- Archived session events, each once: an event is known by its origin and its number there.
create table userlock.archived_event (
    origin bytea not null,
    seq bigint not null,
    kind bigint not null,
    machine text not null,
    -- In ms since 1970 UTC, by the writer's clock.
    at bigint not null,
    user_name text,
    -- As it came.
    payload bytea not null,
    primary key (origin, seq)
);

create index archived_event_at on userlock.archived_event (at);
create index archived_event_user on userlock.archived_event (user_name, at);
create index archived_event_machine on userlock.archived_event (machine, at);

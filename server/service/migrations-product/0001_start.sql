-- The application log and the sign-ins of the dashboard: a file of their own, so that writing them never
-- waits for the state's commits nor delays them.

create table application_log (
    number integer primary key autoincrement,
    id integer not null,
    level integer not null,
    at integer not null,
    message text not null,
    details text not null
) strict;
create index application_log_level on application_log (level, at);
create index application_log_id on application_log (id, number);

create table sign_in (
    -- The BLAKE3 hash of the cookie.
    hash blob primary key,
    account text not null,
    -- A hash of the account's password hash: with another password the sign-in ends.
    password_mark blob not null,
    address text not null,
    created_at integer not null,
    last_seen integer not null
) strict, without rowid;

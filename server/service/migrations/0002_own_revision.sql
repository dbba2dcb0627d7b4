-- Every change of the settings that belong to this server alone. Secrets are left out of both documents.
create table own_revision (
    revision integer primary key,
    -- In ms since 1970 UTC.
    at integer not null,
    by text not null,
    section text not null,
    reason text,
    -- JSON: the names of the fields that changed.
    changed text not null,
    -- JSON: all of this server's own settings as they were, and as they became.
    before text not null,
    after text not null
) strict;

create trigger own_revision_stays before update on own_revision begin
    select raise(abort, 'a revision never changes');
end;

create trigger own_revision_is_kept before delete on own_revision begin
    select raise(abort, 'a revision is kept');
end;

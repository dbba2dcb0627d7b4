-- What the list of revisions shows of each, beside the documents: these are large, and a page of the list needs none.
create table zone_revision (
    number integer primary key,
    epoch integer not null,
    n integer not null,
    -- In ms since 1970 UTC.
    at integer not null,
    by text not null,
    section text not null,
    reason text
) strict;

insert into zone_revision (number, epoch, n, at, by, section, reason)
select number, epoch, n, json_extract(document, '$.at'), json_extract(document, '$.by'),
       json_extract(document, '$.section'), json_extract(document, '$.reason')
from zone_settings
-- One that cannot be read is in no list, and holds no start up.
where json_valid(document);

create index zone_revision_section on zone_revision (section, number);
create index zone_settings_n on zone_settings (n, number);

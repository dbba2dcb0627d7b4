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
-- One that cannot be read is in no list, and holds no start up: neither one that is no JSON nor one that lacks what is
-- shown of it. `case` works its conditions out one after the other.
where case
    when not json_valid(document) then false
    when json_type(document, '$.by') is not 'text' or json_type(document, '$.section') is not 'text' then false
    when json_type(document, '$.at') is not 'integer' then false
    -- A number that is too large for an integer is none.
    when typeof(json_extract(document, '$.at')) is not 'integer' then false
    else coalesce(json_type(document, '$.reason'), 'null') in ('text', 'null')
end;

create index zone_revision_section on zone_revision (section, number);
create index zone_settings_n on zone_settings (n, number);

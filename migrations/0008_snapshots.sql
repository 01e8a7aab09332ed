-- What a subject had come to at one of its versions, so that its older events need not be read (docs/event-sourcing.md). As long as
-- it is there its row in weir.subjects stays, also without an event: the next event has the next version.
create table weir.snapshots (
    stream_id bigint      not null,
    subject   text        collate "C" not null,
    version   bigint      not null check (version > 0),
    state     text        not null,                -- JSON, byte for byte as it was given
    updated   timestamptz not null,
    primary key (stream_id, subject)
);

do $$ begin
    alter table weir.snapshots alter column state set compression lz4;
exception when feature_not_supported or invalid_parameter_value then null; -- a server built without lz4
end $$;

-- Whether subject_reads was ever off: events that the index events_by_subject does not have are looked for. Of older streams nobody
-- knows any more.
alter table weir.streams add column subjects_unindexed boolean not null default true;

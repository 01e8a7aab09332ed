-- The log: streams, partitions with their heads, events, and what publishing decides by (ids, subjects).
-- See docs/architecture.md. Every table of a stream carries stream_id in its key, so that the schema can be distributed.

create table weir.settings (
    name  text primary key,
    value text not null
);

-- A stream's id is its incarnation: a stream that is deleted and made again has another one, and old cursors say so.
create table weir.streams (
    stream_id           bigint primary key,
    name                text collate "C" not null unique,
    partitions          integer not null check (partitions between 1 and 64),
    retention           bigint check (retention > 0),            -- microseconds; null: for ever
    dedup_window        bigint not null check (dedup_window > 0), -- microseconds
    schema_validation   text not null default 'off' check (schema_validation in ('off', 'warn', 'enforce')),
    subject_template    text not null default '{stream}-{type}',
    allow_unknown_types boolean not null default false,
    subject_reads       boolean not null default true,
    description         text not null default '',
    labels              text not null default '{}',               -- a JSON object of strings
    created             timestamptz not null,
    updated             timestamptz not null,
    deleted             boolean not null default false            -- its rows are being removed; the name is free again
);

-- The head row: its lock makes commit order equal offset order, without gaps. Updated by every publish, hence the room for
-- HOT updates and no index on what changes.
create table weir.partitions (
    stream_id bigint  not null,
    partition integer not null,
    head      bigint  not null default 0,          -- the last offset given
    earliest  bigint  not null default 1,          -- the first offset still kept (head + 1: none)
    recorded  timestamptz not null,                -- of the last event: never goes back
    bytes     bigint  not null default 0,          -- payload and attributes of the events kept
    primary key (stream_id, partition)
) with (fillfactor = 50);

-- The first offset of each month a partition has events in: reads look into one month's table only.
create table weir.partition_months (
    stream_id    bigint  not null,
    partition    integer not null,
    month        date    not null,
    first_offset bigint  not null,
    primary key (stream_id, partition, month)
);

create table weir.events (
    stream_id    bigint      not null,
    partition    integer     not null,
    "offset"     bigint      not null,
    recorded     timestamptz not null,
    id           text        not null,
    source       text,                             -- null: /v1/streams/<stream>
    type         text        not null,
    subject      text,
    version      bigint,
    subject_hash bigint,                           -- set where subjects are read: hashtextextended(subject, 0)
    attributes   text        not null,             -- the other attributes: JSON members without braces
    data_format  smallint    not null,             -- 0 none, 1 JSON as sent, 2 UTF-8 text, 3 bytes
    data         bytea,
    primary key (stream_id, partition, "offset", recorded)
) partition by range (recorded);

create index events_by_subject on weir.events (stream_id, subject_hash, version) where subject_hash is not null;

-- Ids that clients gave, until they expire: one table for each week of expiry, dropped whole.
create table weir.dedup (
    stream_id   bigint  not null,
    week        integer not null,                  -- of its expiry: unix seconds / 604,800
    key         uuid    not null,                  -- SHA-256(source, id), first half
    fingerprint uuid    not null,                  -- of what "the same content" means
    expires     timestamptz not null,
    partition   integer not null,
    "offset"    bigint  not null,
    version     bigint,
    recorded    timestamptz not null,
    primary key (stream_id, key, week)
) partition by range (week);

create table weir.subjects (
    stream_id   bigint  not null,
    subject     text    collate "C" not null,
    partition   integer not null,
    version     bigint  not null,
    last_offset bigint  not null,
    primary key (stream_id, subject)
) with (fillfactor = 80);

-- Makes the tables of the months and weeks to come. Called at start and by the retention worker; safe to call at once from
-- everywhere. Tables that are being attached do not block writers.
create function weir.make_room(today timestamptz) returns integer language plpgsql as $$
declare
    made integer := 0;
    m date := date_trunc('month', today at time zone 'UTC')::date;
    w integer := floor(extract(epoch from today) / 604800)::integer;
    t text;
begin
    perform pg_advisory_xact_lock(hashtextextended('weir.make_room', 0));
    for i in 0..2 loop
        t := 'events_' || to_char(m + make_interval(months => i), 'YYYYMM');
        if to_regclass('weir.' || t) is null then
            execute format('create table weir.%I (like weir.events including defaults including constraints)', t);
            begin
                execute format('alter table weir.%I alter column data set compression lz4', t);
            exception when feature_not_supported or invalid_parameter_value then null; -- a server built without lz4
            end;
            execute format('alter table weir.events attach partition weir.%I for values from (%L) to (%L)', t,
                           ((m + make_interval(months => i)) at time zone 'UTC')::timestamptz,
                           ((m + make_interval(months => i + 1)) at time zone 'UTC')::timestamptz);
            made := made + 1;
        end if;
    end loop;
    for i in 0..5 loop
        t := 'dedup_' || (w + i);
        if to_regclass('weir.' || t) is null then
            execute format('create table weir.%I (like weir.dedup including defaults including constraints)', t);
            execute format('alter table weir.dedup attach partition weir.%I for values from (%s) to (%s)', t, w + i, w + i + 1);
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

-- Drops a week whose ids have all expired, or a month without an event left; gives how many. One a call: the lock on the parent
-- lasts to the end of the transaction, and nothing is waited for meanwhile. One that is in use for longer than a second is passed
-- over. A day's grace: whoever began to write before midnight is done.
create function weir.drop_what_is_over(today timestamptz) returns integer language plpgsql as $$
declare
    last timestamptz := today - interval '1 day';
    t record;
    used boolean;
begin
    perform set_config('lock_timeout', '1s', true);
    for t in select c.relname, i.inhparent = 'weir.events'::regclass as holds_events
               from pg_inherits i join pg_class c on c.oid = i.inhrelid
              where (i.inhparent = 'weir.dedup'::regclass -- four digits until the year 2161
                     and substr(c.relname, 7) < floor(extract(epoch from last) / 604800)::text)
                 or (i.inhparent = 'weir.events'::regclass and substr(c.relname, 8) < to_char(last at time zone 'UTC', 'YYYYMM'))
              order by c.relname loop
        begin
            execute format('select %L and exists (select from weir.%I)', t.holds_events, t.relname) into used;
            if not used then
                execute format('drop table weir.%I', t.relname);
                return 1;
            end if;
        exception when lock_not_available then null;
        end;
    end loop;
    return 0;
end $$;

-- For people: the log by plain SQL.
create view weir.log as
select s.name as stream, e.partition, e."offset", e.recorded, e.id,
       coalesce(e.source, '/v1/streams/' || s.name) as source, e.type, e.subject, e.version,
       case when e.attributes = '' then '{}' else '{' || e.attributes || '}' end::json as attributes,
       case e.data_format when 1 then convert_from(e.data, 'UTF8')::json
                          when 2 then to_json(convert_from(e.data, 'UTF8'))
                          when 3 then to_json(encode(e.data, 'base64')) end as data
  from weir.events e join weir.streams s using (stream_id)
 where not s.deleted;

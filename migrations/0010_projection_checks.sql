-- Verifying a projection: what is read is compared with a scratch build of the same events. docs/projections.md

create table weir.projection_checks (
    projection_id bigint   not null,
    job_id        uuid     not null,
    name          text     collate "C" not null,   -- of the projection
    state         smallint not null check (state between 0 and 3), -- running, done, cancelled, failed
    automatic     boolean  not null,               -- by verify_every
    build         integer  not null,               -- what is read, and
    scratch       integer  not null,               -- what it is compared with
    checked       bigint   not null default 0,     -- keys
    drifted       bigint   not null default 0,     -- of these, those that differ
    order_dependent bigint not null default 0,     -- those that may differ
    result        text,                            -- the first of them: a JSON object
    error         text,                            -- why it did not end well: a sentence
    created       timestamptz not null,
    updated       timestamptz not null,
    due           timestamptz not null,            -- of its next step; whoever takes one has it until then
    primary key (projection_id, job_id)
);

create unique index projection_checks_running on weir.projection_checks (projection_id) where state = 0;
create index projection_checks_due on weir.projection_checks (due) where state = 0;
create index projection_checks_by_id on weir.projection_checks (job_id);
create index projection_checks_ended on weir.projection_checks (updated) where state > 0;

-- Letters of a projection that was deleted: another one of its name folds the events as they are.
alter table weir.dead_letters add column orphaned boolean not null default false;

-- Dead letters that were given back to projections.
create index dead_letters_refold on weir.dead_letters (stream_id, partition)
 where state = 1 and group_name >= 'projection:' and group_name < 'projection;';

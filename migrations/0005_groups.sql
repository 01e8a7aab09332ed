-- Consumer groups: who has been given which events, what failed and waits, what could not be done. docs/decisions/0008-consumer-groups.md

create table weir.groups (
    stream_id        bigint   not null,
    group_id         bigint   not null,            -- its incarnation, as a stream's id
    name             text     collate "C" not null,
    ordering         smallint not null check (ordering in (0, 1)), -- none, key
    paused           boolean  not null,
    ack_deadline     bigint   not null,            -- microseconds, here and below
    max_retries      integer  not null,
    backoff_initial  bigint   not null,
    backoff_factor   float8   not null,
    backoff_max      bigint   not null,
    backoff_jitter   float8   not null,
    max_in_flight    integer  not null,
    max_retrying     integer  not null,
    max_skipped      integer  not null,
    key_batch        integer  not null,
    types            text     not null,            -- a JSON array of patterns; '[]': all
    dlq_retry_after  bigint,                       -- null: dead letters are not redriven by themselves
    dlq_retry_rounds integer  not null default 0,
    created          timestamptz not null,
    updated          timestamptz not null,
    primary key (stream_id, group_id),
    unique (stream_id, name)
);

-- One row a transaction of the group, the newest counts: whoever inserts seq + 1 is the one who may change the group. Nothing is
-- updated in place, and the newest row is found from the end of the index, so that versions which a held snapshot keeps cost nothing.
-- The last few rows stay: `token` tells a writer that lost its connection whether its COMMIT happened.
create table weir.group_states (
    stream_id   bigint   not null,
    group_id    bigint   not null,
    seq         bigint   not null,
    token       bigint   not null,
    generation  integer  not null,                 -- raised by seek: deliveries of an earlier one are stale
    next        bigint[] not null,                 -- for each partition, the first offset that was not looked at
    lease_floor bigint   not null,                 -- no lease below it is left
    written     timestamptz not null,
    primary key (stream_id, group_id, seq),
    foreign key (stream_id, group_id) references weir.groups on delete cascade
);

-- What one receive was given.
create table weir.leases (
    stream_id bigint not null,
    group_id  bigint not null,
    lease_id  bigint not null,                     -- raised with every lease of the group
    began     timestamptz not null,
    deadline  timestamptz not null,
    consumer  text   not null,
    items     bytea  not null,                     -- which events: runs of (partition, round, offset, length), varints
    keys      bytea  not null,                     -- of their order, 8 bytes each; empty: none has one
    done      bytea  not null,                     -- how each ended, 2 bits; empty: none has
    extended  bytea  not null,                     -- deadlines of their own, 8 bytes each, 0: the lease's; empty: none has one
    open      integer not null,                    -- how many have not ended
    primary key (stream_id, group_id, lease_id)
);

-- What failed at least once, or was redriven, and is not finished: waiting for its time, or handed out again.
create table weir.retries (
    stream_id  bigint   not null,
    group_id   bigint   not null,
    partition  integer  not null,
    "offset"   bigint   not null,
    round      integer  not null,                  -- 0: from the log; n: the nth redrive of its letter
    letter_id  uuid,                               -- the letter, which has the event
    failures   integer  not null,
    key        bigint   not null,                  -- of order; 0: none
    not_before timestamptz not null,
    single     boolean  not null,                  -- goes out alone: it may be what made a consumer vanish
    history    text     not null,                  -- the failed attempts: JSON objects with commas between
    primary key (stream_id, group_id, partition, "offset", round)
);

-- What was passed over because its key was not free.
create table weir.skips (
    stream_id bigint  not null,
    group_id  bigint  not null,
    chunk_id  bigint  not null,
    partition integer not null,
    n         integer not null,                    -- how many events
    offsets   bytea   not null,                    -- ascending, varints of the differences
    keys      bytea   not null,
    primary key (stream_id, group_id, chunk_id)
);

create table weir.dead_letters (
    stream_id      bigint   not null,
    letter_id      uuid     not null,              -- UUIDv7 of its first death
    group_name     text     collate "C" not null,
    partition      integer  not null,
    "offset"       bigint   not null,
    key            bigint   not null,
    state          smallint not null check (state between 0 and 3), -- parked, redriven, resolved, discarded
    reason         text     not null,              -- max-retries, rejected, …
    error          text,                           -- of the last attempt: a JSON object
    error_type     text     not null,
    error_masked   text     not null,              -- its message, variable parts masked
    fingerprint    uuid     not null,              -- of group, type, error type and masked message
    poison         boolean  not null default false,-- it died again of the same after a redrive
    attempts       text     not null,              -- all that failed: JSON objects with commas between
    redrives       integer  not null default 0,
    auto_redrives  integer  not null default 0,    -- of these, by the group's dlq_retry
    note           text,                           -- the reason given for the last redrive or discard
    dead_at        timestamptz not null,           -- last
    updated_at     timestamptz not null,
    -- the event, as it is delivered
    recorded       timestamptz not null,
    id             text     not null,
    source         text,
    type           text     not null,
    subject        text,
    version        bigint,
    attributes     text     not null,
    data_format    smallint not null,
    data           bytea,
    original       bytea,                          -- its data before the first repair; null: not repaired
    primary key (stream_id, letter_id),
    unique (group_name, stream_id, partition, "offset")
);

-- Only the primary key begins with stream_id: while there are no statistics, any other that did would look as good to who knows the ids
-- of letters, and has all of a stream.
create index dead_letters_by_group on weir.dead_letters (group_name, stream_id, state, letter_id);
create index dead_letters_by_fingerprint on weir.dead_letters (fingerprint, stream_id, state);
create index dead_letters_figures on weir.dead_letters (group_name, stream_id, poison) where state = 0;
create index dead_letters_parked on weir.dead_letters (dead_at, stream_id) where state = 0;
create index dead_letters_closed on weir.dead_letters (updated_at) where state >= 2;
create index dead_letters_poison on weir.dead_letters (group_name, stream_id, fingerprint) where state = 0 and poison;

-- Redrives and discards of many letters: a durable job does them step by step, on any gateway.
create table weir.jobs (
    stream_id  bigint   not null,
    job_id     uuid     not null,
    kind       smallint not null check (kind in (0, 1)),            -- redrive, discard
    state      smallint not null check (state between 0 and 3),     -- running, done, cancelled, failed
    filter     text     not null,                  -- a JSON object, as it was asked for
    reason     text,
    letters    bigint,                             -- at most so many; null: all that match
    rate       float8,                             -- a second; null: as fast as it goes
    matched    bigint   not null,
    done       bigint   not null default 0,
    failed     bigint   not null default 0,        -- have no group to go to, or, in the end, were not parked any more
    last       uuid     not null,                  -- letters that came later are not meant
    position   uuid,                               -- the last letter dealt with, ascending
    error      text,                               -- why it failed
    actor      text     not null,                  -- a JSON object: who asked for it, for the audit log
    created    timestamptz not null,
    updated    timestamptz not null,
    due        timestamptz not null,               -- of its next step
    primary key (stream_id, job_id)
);

create index jobs_due on weir.jobs (due) where state = 0;
create index jobs_ended on weir.jobs (updated) where state > 0;
create index jobs_by_id on weir.jobs (job_id);

-- Events that Weir itself publishes. A row is written in the transaction of what it tells of; a relay publishes it under its id, which
-- makes a repetition a duplicate, and then removes it. weir.audit is relayed too: gateways of the release before still write there.
create table weir.outbox (
    stream_id   bigint  not null,                  -- what it tells of belongs to this stream; 0: to none
    id          uuid    not null,
    stream      text    collate "C" not null,      -- where it goes: _audit, <stream>.dlq
    recorded    timestamptz not null,              -- by the database's clock, under the locks of what was changed
    type        text    not null,
    source      text    not null,
    subject     text    not null,
    traceparent text,
    data        text    not null,                  -- JSON
    primary key (stream_id, id)
);

create index outbox_in_order on weir.outbox (recorded, id);

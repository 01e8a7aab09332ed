-- Sagas: definitions, running instances with their steps, what they wait for, and what became of them. docs/sagas.md
-- Every table of a saga begins with its saga_id, so that the schema can be distributed.

create table weir.sagas (
    saga_id bigint      primary key,               -- its incarnation, as a stream's id
    name    text        collate "C" not null unique,
    version integer     not null,                  -- the newest: new instances run it
    created timestamptz not null,
    updated timestamptz not null
);

create table weir.saga_definitions (
    saga_id    bigint      not null,
    version    integer     not null,               -- 1, 2, 3 …
    definition text        not null,               -- as it was asked for, JSON
    steps      text[]      collate "C" not null,   -- their names, by number
    created    timestamptz not null,
    primary key (saga_id, version)
);

-- Whoever changes an instance holds its row; several in the order of the key.
create table weir.saga_instances (
    saga_id     bigint      not null,
    instance_id text        collate "C" not null,
    version     integer     not null,              -- it runs to its end by this definition
    state       smallint    not null check (state between 0 and 6), -- enum saga_state
    pivot_sent  boolean     not null default false,
    seq         bigint      not null,              -- transitions so far
    input       text        not null,              -- JSON
    input_hash  uuid        not null,              -- SHA-256 of it, first half
    cause       text,                              -- why it compensates or is paused: a JSON object
    traceparent text,
    deadline    timestamptz,                       -- the saga's timeout; null: none, or it is over
    created     timestamptz not null,
    updated     timestamptz not null,
    ended       timestamptz,
    primary key (saga_id, instance_id)
) with (fillfactor = 80);

create index saga_instances_by_time on weir.saga_instances (saga_id, created, instance_id);
create index saga_instances_by_state on weir.saga_instances (saga_id, state, created, instance_id);
create index saga_instances_deadline on weir.saga_instances (deadline) where deadline is not null;
create index saga_instances_ended on weir.saga_instances (ended) where ended is not null;

-- A row is made when the step becomes active, or when something for it comes early.
create table weir.saga_steps (
    saga_id     bigint      not null,
    instance_id text        collate "C" not null,
    step        smallint    not null,              -- its place in the definition
    kind        smallint    not null check (kind between 0 and 1),   -- action, compensation
    status      smallint    not null check (status between 0 and 7), -- enum saga_status
    attempts    integer     not null default 0,
    unknown     boolean     not null default false, -- the outcome of an attempt is unknown
    due         timestamptz,                       -- ready: not before; waiting: its timeout; null: nothing waits for time
    owner       bigint      not null default 0,    -- running: a gateway of saga_members; 0: nobody
    target      text,                              -- origin of its HTTP call; null: it makes none
    awaits      text        collate "C",           -- stream of the event that it waits for; null: it awaits none
    result      text,                              -- JSON
    error       text,                              -- JSON
    early       text,                              -- a signal or decision that came before the step, JSON
    request     text,                              -- what was sent last, without secrets, JSON
    answer      text,                              -- what came last, JSON
    begun       timestamptz,
    ended       timestamptz,
    ended_seq   bigint,                            -- order of completion within the instance
    round       integer     not null default 0,    -- events published by it whose answer was awaited: the next one is another
    event       text,                              -- that served it last: <stream_id>-<partition>-<offset>
    primary key (saga_id, instance_id, step, kind)
) with (fillfactor = 80);

-- Each finds what it asks for at once, however many instances wait: who waits for time, for events of a stream, who may call a target,
-- whom a gateway runs.
create index saga_steps_due on weir.saga_steps (due)
    where due is not null and target is null and (status = 1 or (status = 3 and awaits is null));
create index saga_steps_awaits on weir.saga_steps (awaits, due) where status = 3 and awaits is not null and due is not null;
create index saga_steps_ready on weir.saga_steps (target, due) where status = 1 and target is not null;
create index saga_steps_running on weir.saga_steps (owner) where owner <> 0;

create table weir.saga_history (
    saga_id     bigint      not null,
    instance_id text        collate "C" not null,
    seq         bigint      not null,              -- the transition
    n           smallint    not null,              -- within it
    at          timestamptz not null,
    type        text        not null,              -- of the event on the stream saga.<saga>
    step        text,                              -- null: it concerns the instance
    data        text        not null,              -- JSON
    primary key (saga_id, instance_id, seq, n)
);

-- Gateways that run steps. What belongs to one whose lease is over is taken back.
create table weir.saga_members (
    owner bigint      primary key,
    until timestamptz not null
);

-- Awaits that are active.
create table weir.saga_waits (
    saga_id     bigint   not null,
    instance_id text     collate "C" not null,
    step        smallint not null,
    kind        smallint not null,
    version     integer  not null,                 -- of the definition
    stream_id   bigint   not null,
    hash        bigint   not null,                 -- of the values
    match       text     not null,                 -- that it waits for: a JSON array, in the order of the definition
    after       bigint[] not null,                 -- by partition: the head when the wait began
    reread_id   uuid     not null,                 -- of the transaction that began it
    primary key (saga_id, instance_id, step, kind)
);
-- Which awaits of which definitions there are on a stream, and which of them wait for a value.
create index saga_waits_of on weir.saga_waits (stream_id, saga_id, version, step, kind, hash);

-- start_on of the newest definition of a saga.
create table weir.saga_starts (
    saga_id   bigint   primary key,
    stream    text     collate "C" not null,
    stream_id bigint   not null,                   -- of that name; 0: there was none yet
    after     bigint[] not null,                   -- by partition: the head when it was defined
    reread_id uuid     not null
);
create index saga_starts_of on weir.saga_starts (stream_id);

-- How far waits and starts of a stream were served, by partition. No row: there are none.
create table weir.saga_readers (
    stream_id bigint   primary key,
    position  bigint[] not null
) with (fillfactor = 50);

-- A transaction that begins waits (or a start) reads the heads first and commits later: what is published in between may have been
-- passed by the reader already. So it leaves these heads here, and the reader goes back to them once, for those waits alone.
create table weir.saga_rereads (
    stream_id bigint   not null,
    reread_id uuid     not null,
    after     bigint[] not null,
    primary key (stream_id, reread_id)
);

-- Events that were found for instances, until they are applied to them.
create table weir.saga_inbox (
    saga_id     bigint      not null,
    instance_id text        collate "C" not null,
    stream_id   bigint      not null,
    partition   integer     not null,
    "offset"    bigint      not null,
    step        smallint    not null,              -- -1: the event starts the instance
    kind        smallint    not null,
    event       text        not null,              -- JSON, as it is read
    at          timestamptz not null,
    primary key (saga_id, instance_id, step, kind, stream_id, partition, "offset")
);
create index saga_inbox_in_order on weir.saga_inbox (at, stream_id, partition, "offset");

-- Circuit breakers, one for all gateways. No row: closed, without failures.
create table weir.saga_targets (
    target      text        collate "C" primary key, -- scheme://host:port
    state       smallint    not null default 0,    -- closed, open, half-open
    failures    integer     not null default 0,    -- in a row
    successes   integer     not null default 0,    -- in a row, since it is half-open
    opened      timestamptz,
    probe_owner bigint      not null default 0,
    probe_until timestamptz,
    updated     timestamptz not null
);

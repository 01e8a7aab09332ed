-- Projections: state that follows from events, kept in the transaction of the position that it follows from. docs/projections.md

create table weir.projections (
    projection_id bigint   primary key,            -- its incarnation, as a stream's id
    name          text     collate "C" not null unique,
    build         integer  not null,               -- the one that is read
    paused        boolean  not null,
    definition    text     not null,               -- as it was asked for last, JSON
    created       timestamptz not null,
    updated       timestamptz not null
);

-- The states of a projection are built from the beginning beside those that are read, and take their place when they have caught up.
create table weir.projection_builds (
    projection_id bigint   not null,
    build         integer  not null,               -- 1, 2, 3 … , never used again
    state         smallint not null check (state between 0 and 3), -- building, active, retired (its rows are being removed), scratch
    definition    text     not null,               -- what it folds by
    streams       text[]   not null,               -- that it names
    error         text,                            -- why it has stopped, a JSON object; null: it goes on
    held          timestamptz,                     -- since then nobody folds it: another is to be compared with it; null: not held
    created       timestamptz not null,
    updated       timestamptz not null,            -- last time that state, error or held changed
    parts         integer  not null default 0,     -- numbers of parts that were given
    primary key (projection_id, build)
);

-- One partition of one stream, folded by one gateway at a time: the one that raised the epoch last. Every step moves the position in the
-- transaction that writes its states, where epoch and position are what it began with.
create table weir.projection_parts (
    projection_id bigint   not null,
    build         integer  not null,
    stream_id     bigint   not null,
    partition     integer  not null,
    part          integer  not null,               -- its number within the build, never used again
    first         bigint   not null,               -- the last offset before those that are folded
    position      bigint   not null,               -- the last offset folded
    upto          bigint,                          -- it ends there; null: it follows the head
    target        bigint   not null,               -- the head when it began
    kept          bigint   not null,               -- changes after this position are in projection_changes
    folded        bigint   not null default 0,     -- events, without those that were passed over
    epoch         bigint   not null default 0,
    owner         bigint   not null default 0,     -- a gateway of projection_members; 0: nobody
    primary key (projection_id, build, stream_id, partition)
) with (fillfactor = 50);

-- Gateways that fold. What belongs to one whose lease is over may be claimed.
create table weir.projection_members (
    owner bigint      primary key,
    until timestamptz not null
);

create table weir.projection_states (
    projection_id bigint   not null,
    build         integer  not null,
    key           text     collate "C" not null,
    state         text     not null,               -- JSON; not jsonb, which would change numbers and refuse \u0000
    version       bigint   not null,               -- events folded into the key since it was created
    part          integer  not null,               -- the only one that ever touched it; -1: there were several
    last_part     integer  not null,               -- what changed it last
    last_offset   bigint   not null,
    primary key (projection_id, build, key)
) with (fillfactor = 80);

-- What states are found by: hashes of (pointer, value) of the definition's indexes. In the order of keys, so that pages cost what they hold.
create table weir.projection_lookups (
    projection_id bigint   not null,
    build         integer  not null,
    hash          bigint   not null,
    key           text     collate "C" not null,
    primary key (projection_id, build, hash, key)
);

-- What each step of the build that is read has changed, for a while.
create table weir.projection_changes (
    projection_id bigint   not null,
    build         integer  not null,
    part          integer  not null,
    position      bigint   not null,               -- after the step
    refold        integer  not null,               -- 0, or the how-manieth step that stays at the position: of redriven letters
    at            timestamptz not null,
    keys          text[]   not null,
    primary key (projection_id, build, part, position, refold)
);

-- Events that were passed over by hand, in every build.
create table weir.projection_skips (
    projection_id bigint   not null,
    stream_id     bigint   not null,
    partition     integer  not null,
    "offset"      bigint   not null,
    at            timestamptz not null,
    primary key (projection_id, stream_id, partition, "offset")
);

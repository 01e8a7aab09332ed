-- The schema registry: subjects, their versions, and the schemas themselves. docs/decisions/0009-schema-registry.md

-- One row. Whoever changes anything of the registry updates it in the same transaction, before what is changed: so changes happen
-- one after the other, and `changes` tells every gateway that there was one.
create table weir.registry (
    one     boolean primary key default true check (one),
    next_id integer not null,                      -- of the next schema
    changes bigint  not null
);
insert into weir.registry (next_id, changes) values (1, 0);

-- What is set for a subject; made with its first version or setting. Whoever registers holds the row: versions are counted under it.
create table weir.schema_subjects (
    context       text collate "C" not null,       -- "." is the default one
    subject       text collate "C" not null,       -- '': settings of the context; of ".": of all
    compatibility smallint check (compatibility between 0 and 6), -- null: as above; none, backward, forward, full, the same transitive
    mode          smallint check (mode between 0 and 2),          -- null: as above; readwrite, readonly, import
    primary key (context, subject)
);

-- A schema, once for each content: text, references, metadata and rules.
create table weir.schemas (
    context   text     collate "C" not null,
    schema_id integer  not null check (schema_id > 0),
    type      smallint not null check (type in (0, 1)), -- Avro, JSON Schema
    digest    bytea    not null,                   -- of the content
    schema    text     not null,
    refs      text     not null,                   -- a JSON array, as it is answered
    metadata  text,                                -- JSON, as it came
    rule_set  text,
    primary key (context, schema_id),
    unique (context, digest)
);

create table weir.schema_versions (
    context   text    collate "C" not null,
    subject   text    collate "C" not null,
    version   integer not null check (version > 0),
    schema_id integer not null,
    deleted   boolean not null default false,      -- softly
    created   timestamptz not null,
    primary key (context, subject, version),
    foreign key (context, schema_id) references weir.schemas
);

create index schema_versions_by_id on weir.schema_versions (schema_id, context);

-- Which version of which subject a schema names.
create table weir.schema_references (
    context     text    collate "C" not null,
    schema_id   integer not null,
    ref_context text    collate "C" not null,
    ref_subject text    collate "C" not null,
    ref_version integer not null,
    primary key (context, schema_id, ref_context, ref_subject, ref_version),
    foreign key (context, schema_id) references weir.schemas on delete cascade
);

create index schema_references_to on weir.schema_references (ref_context, ref_subject, ref_version);

-- Contracts: what consumers read. docs/schema-contracts.md

create table weir.contracts (
    consumer text collate "C" primary key,
    enforced boolean not null                     -- a new version that breaks it is refused
);

-- The schemas that it reads with, as they were when it was put: whatever becomes of versions later, it stays what it is.
create table weir.contract_reads (
    context   text     collate "C" not null,
    subject   text     collate "C" not null,      -- which need not be there yet
    consumer  text     collate "C" not null references weir.contracts on delete cascade,
    version   integer  not null check (version >= 0), -- of the subject, whose schema was taken; 0: one of its own
    type      smallint not null check (type in (0, 1)), -- as in weir.schemas
    schema    text     not null,
    refs      text     not null,                  -- a JSON array, as it is answered
    documents text     not null,                  -- all that it refers to, a JSON array: [{"name":…,"text":…}]
    primary key (context, subject, consumer)
);

create index contract_reads_of on weir.contract_reads (consumer);

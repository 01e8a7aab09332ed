-- Who may not enter any more, and what lets a browser in: revoked tokens, and tickets for event streams.

-- One row: its lock puts changes of the list in order, `version` tells gateways to read it again, `entries` bounds it.
create table weir.revocations_clock (
    only_row boolean primary key default true check (only_row),
    version  bigint  not null,                     -- raised by every change; also the id of the entry it added
    entries  bigint  not null
);
insert into weir.revocations_clock (version, entries) values (0, 0);

create table weir.revocations (
    id            bigint primary key,
    jti           text,                            -- one token …
    sub           text,                            -- … or all of a subject that are older than issued_before
    iss           text,                            -- null: of any issuer
    issued_before timestamptz,
    expires       timestamptz not null,            -- then it is forgotten
    reason        text        not null,
    created       timestamptz not null,
    created_by    text        not null,            -- the sub of who revoked
    check ((jti is null) <> (sub is null)),
    check ((sub is null) = (issued_before is null))
);

create index revocations_by_expiry on weir.revocations (expires);

-- The ticket itself is not here: who reads this table cannot use what stands in it.
create table weir.tickets (
    hash    bytea       primary key,               -- SHA-256(ticket, line feed, url)
    url     text        not null,                  -- path and query, for people
    owner   bytea       not null,                  -- SHA-256(iss, line feed, sub)
    claims  text        not null,                  -- JSON: whose token made it, and the rights it has of them
    created timestamptz not null,
    expires timestamptz not null
);

create index tickets_by_expiry on weir.tickets (expires);
create index tickets_by_owner on weir.tickets (owner, expires);

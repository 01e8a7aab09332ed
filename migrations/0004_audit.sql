-- What was done and is not yet in the stream _audit. A record is written in the transaction of what it tells of, so there is one
-- exactly when that was done; a relay publishes it under its id, which makes a repetition a duplicate, and then removes it.
create table weir.audit (
    id          uuid        primary key,
    recorded    timestamptz not null,              -- by the database's clock, under the locks of what was changed
    type        text        not null,
    resource    text        not null,              -- its path
    traceparent text,
    data        text        not null               -- a JSON object: actor, operation, changes
);

create index audit_in_order on weir.audit (recorded, id);

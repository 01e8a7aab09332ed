-- Answers of publishes that had an Idempotency-Key, until they expire. Written in the transaction that records the events, so an
-- answer is here exactly when its events are in the log. Only 2xx answers; at most publish.idempotency_bytes each.
create table weir.idempotency (
    stream_id   bigint      not null,
    key         uuid        not null,              -- SHA-256(issuer, subject, method, path, key), first half
    fingerprint uuid        not null,              -- of what "the same request" means, likewise
    expires     timestamptz not null,
    status      smallint    not null,              -- 200 or 201
    answer      bytea       not null,              -- the body, byte for byte; receipts compress well
    cursor      text        not null,              -- the header Weir-Cursor
    primary key (stream_id, key)
);

do $$ begin
    alter table weir.idempotency alter column answer set compression lz4;
exception when feature_not_supported or invalid_parameter_value then null; -- a server built without lz4
end $$;

-- What is over is removed in the order of expiry.
create index idempotency_by_expiry on weir.idempotency (expires);

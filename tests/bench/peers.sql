-- What others do in PostgreSQL to record one event, in words of our own: same tables, indexes and steps, so the same cost.
create schema bench;

-- An application that writes its events itself.
create table bench.events (
    seq bigserial primary key, recorded timestamptz not null default clock_timestamp(), id text not null, source text not null,
    type text not null, attributes text not null, data bytea not null);

-- pgmq.send (pgmq 1.5): a table per queue, found by its name on each call, so the INSERT is planned anew each time; the message
-- becomes visible at `vt`, which has an index.
create table bench.q_orders (
    msg_id bigint generated always as identity primary key, read_ct integer not null default 0,
    enqueued_at timestamptz not null default now(), vt timestamptz not null, message jsonb);
create index on bench.q_orders (vt);

create function bench.queue_table(queue text) returns text language plpgsql as $$
begin
    if queue ~ '\$|;|--|''' then
        raise exception 'a name without $ ; -- and quotes is needed: %', queue;
    end if;
    return lower('q_' || queue);
end $$;

create function bench.send(queue text, message jsonb, delay integer default 0) returns setof bigint language plpgsql as $$
begin
    return query execute format('insert into bench.%I (vt, message) values (clock_timestamp() + %L, $1) returning msg_id',
                                bench.queue_table(queue), make_interval(secs => delay)) using message;
end $$;

-- message-db's write_message (1.3): one lock for each category of streams, held until the commit; the stream's version is looked
-- up and must be the expected one; a position of all messages, one of the stream's; three unique or large indexes.
create function bench.category(stream text) returns text language plpgsql immutable as $$
begin
    return split_part(stream, '-', 1);
end $$;

create function bench.hash_64(value text) returns bigint language plpgsql immutable as $$
begin
    return ('x' || left(md5(value), 16))::bit(64)::bigint;
end $$;

create table bench.messages (
    global_position bigserial primary key, position bigint not null, recorded timestamp not null default (now() at time zone 'utc'),
    stream_name text not null, type text not null, data jsonb, metadata jsonb, id uuid not null default gen_random_uuid());
create unique index on bench.messages (id);
create unique index on bench.messages (stream_name, position);
create index on bench.messages (bench.category(stream_name), global_position,
                                bench.category(metadata ->> 'correlationStreamName'));

create function bench.stream_version(stream text) returns bigint language plpgsql as $$
declare
    version bigint;
begin
    select max(m.position) into version from bench.messages m where m.stream_name = stream;
    return version;
end $$;

create function bench.write_message(id text, stream text, type text, data jsonb, metadata jsonb default null,
                                    expected bigint default null) returns bigint language plpgsql as $$
declare
    version bigint;
begin
    perform pg_advisory_xact_lock(bench.hash_64(bench.category(stream)));
    version := coalesce(bench.stream_version(stream), -1);
    if expected is not null and expected <> version then
        raise exception 'expected version %, found %', expected, version;
    end if;
    insert into bench.messages (id, stream_name, position, type, data, metadata)
    values (write_message.id::uuid, stream, version + 1, write_message.type, write_message.data, write_message.metadata);
    return version + 1;
end $$;

create table bench.q_work (like bench.q_orders including all);

-- pgmq.read and pgmq.delete (pgmq 1.5), planned anew each time as well: what is taken becomes visible again at another `vt`.
create function bench.read_messages(queue text, seconds integer, quantity integer) returns setof bench.q_orders language plpgsql as $$
begin
    return query execute format(
        'with next as (select msg_id from bench.%I where vt <= clock_timestamp() order by msg_id limit $1 for update skip locked)
         update bench.%1$I m set vt = clock_timestamp() + $2, read_ct = m.read_ct + 1 from next
          where m.msg_id = next.msg_id returning m.*', bench.queue_table(queue))
        using quantity, make_interval(secs => seconds);
end $$;

create function bench.delete_messages(queue text, ids bigint[]) returns setof bigint language plpgsql as $$
begin
    return query execute format('delete from bench.%I where msg_id = any($1) returning msg_id', bench.queue_table(queue)) using ids;
end $$;

-- A queue with a row for each message, taken by FOR UPDATE SKIP LOCKED: invisible until `vt`, gone when it is done. No index has
-- `vt`, and pages have room, so that taking is a HOT update; the oldest come first by the primary key.
create table bench.work (
    id bigint generated always as identity primary key, vt timestamptz not null default now(), attempts smallint not null default 0,
    type text not null, data bytea not null) with (fillfactor = 50);

-- Each stream has its first message: what plans an empty table gets would cost thousands of reads a write.
select count(bench.write_message(gen_random_uuid()::text, 'orders-' || n, 'first', '{}')) from generate_series(1, 10000) n;
analyze bench.messages;

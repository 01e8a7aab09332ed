-- What a group's lane says: the state of a group, its leases, retries and skips, and the events of its deliveries.
--
-- These tables hold few rows and have many that are gone: as long as a snapshot is held, all of them, while the statistics know the few.
-- So what changes rows looks each up by its whole key (LIMIT 1 within LATERAL leaves no other plan) and changes it by its ctid, which
-- stays what it is under the group's lock. tests/db/test_held_snapshot.c counts the pages.

-- name: group_hold
-- The right to change the group until the end of the transaction. Those who wait for it get it in turn.
select group_id from weir.groups where stream_id = $1 and group_id = $2 for no key update;

-- name: group_state
-- The newest: from the end of the index, so dead versions are not walked over.
select seq, token, generation, next, lease_floor from weir.group_states
 where stream_id = $1 and group_id = $2 order by seq desc limit 1;

-- name: group_written
-- After a lost COMMIT: whose row is it?
select token from weir.group_states where stream_id = $1 and group_id = $2 and seq = $3;

-- name: groups_overdue
-- Leases are few, and each lives for seconds; there is no index that every one of them would have to pay for.
select distinct s.name, g.name
  from weir.leases l join weir.groups g using (stream_id, group_id) join weir.streams s using (stream_id)
 where l.deadline < $1 and not s.deleted limit 1000;

-- name: group_retries
select partition, "offset", round, letter_id, failures, key, not_before, single from weir.retries
 where stream_id = $1 and group_id = $2 order by partition, "offset", round;

-- name: group_leases
select lease_id, began, deadline, consumer, items, keys, done, extended from weir.leases
 where stream_id = $1 and group_id = $2 and lease_id >= $3 order by lease_id;

-- name: group_skips
select chunk_id, partition, n, offsets, keys from weir.skips where stream_id = $1 and group_id = $2 order by chunk_id;

-- name: group_turn
-- Whoever inserts this number may change the group. Who is behind meets the newest row instead: that of its own number may be
-- trimmed already. The lock was taken by the statement before, so this one's snapshot has the newest. Leases that come and go with
-- it are the same statement: beginning one costs more than these do.
with state as (
    insert into weir.group_states (stream_id, group_id, seq, token, generation, next, lease_floor, written)
    select $1, $2, greatest($3::int8, (select n.seq from weir.group_states n where n.stream_id = $1 and n.group_id = $2
                                        order by n.seq desc limit 1)), $4, $5, $6, $7, $8
), trimmed as (
    delete from weir.group_states where stream_id = $1 and group_id = $2 and seq = $9
), gone as (
    delete from weir.leases where ctid = any(array(
        select y.ctid from unnest($10::int8[]) as u (id)
         cross join lateral (select ctid from weir.leases where stream_id = $1 and group_id = $2 and lease_id = u.id limit 1) as y))
)
insert into weir.leases (stream_id, group_id, lease_id, began, deadline, consumer, items, keys, done, extended, open)
select $1, $2, u.lease_id, u.began, u.deadline, u.consumer, u.items, u.keys, u.done, u.extended, u.open
  from unnest($11::int8[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::bytea[], $16::bytea[], $17::bytea[], $18::bytea[],
              $19::int4[])
       as u (lease_id, began, deadline, consumer, items, keys, done, extended, open);

-- name: leases_update
update weir.leases l set done = u.done, extended = u.extended, open = u.open
  from unnest($3::int8[], $4::bytea[], $5::bytea[], $6::int4[]) as u (id, done, extended, open)
 cross join lateral (select ctid as at from weir.leases where stream_id = $1 and group_id = $2 and lease_id = u.id limit 1) as y
 where l.ctid = y.at;

-- name: retries_put
insert into weir.retries as r (stream_id, group_id, partition, "offset", round, letter_id, failures, key, not_before, single, history)
select $1, $2, u.partition, u."offset", u.round, u.letter_id, u.failures, u.key, u.not_before, u.single, u.entry
  from unnest($3::int4[], $4::int8[], $5::int4[], $6::uuid[], $7::int4[], $8::int8[], $9::timestamptz[], $10::int4[]::bool[], $11::text[])
       as u (partition, "offset", round, letter_id, failures, key, not_before, single, entry)
on conflict (stream_id, group_id, partition, "offset", round) do update
   set failures = excluded.failures, not_before = excluded.not_before, single = excluded.single,
       history = case when r.history = '' then excluded.history else r.history || ',' || excluded.history end;

-- name: retries_delete
delete from weir.retries where ctid = any(array(
    select y.ctid from unnest($3::int4[], $4::int8[], $5::int4[]) as u (partition, "offset", round)
     cross join lateral (select ctid from weir.retries r where r.stream_id = $1 and r.group_id = $2 and r.partition = u.partition
                            and r."offset" = u."offset" and r.round = u.round limit 1) as y));

-- name: skips_put
insert into weir.skips (stream_id, group_id, chunk_id, partition, n, offsets, keys)
select $1, $2, u.chunk_id, u.partition, u.n, u.offsets, u.keys
  from unnest($3::int8[], $4::int4[], $5::int4[], $6::bytea[], $7::bytea[]) as u (chunk_id, partition, n, offsets, keys)
on conflict (stream_id, group_id, chunk_id) do update set n = excluded.n, offsets = excluded.offsets, keys = excluded.keys;

-- name: skips_delete
delete from weir.skips where ctid = any(array(
    select y.ctid from unnest($3::int8[]) as u (id)
     cross join lateral (select ctid from weir.skips where stream_id = $1 and group_id = $2 and chunk_id = u.id limit 1) as y));

-- name: group_page
-- The next events of partitions: each from its offset on, until it has $4 of them or $5 bytes; at least one. They come in this
-- order by themselves (the join can only be a nested loop); sorting them costs a quarter of all. The caller checks.
select e.partition, e."offset", e.recorded, e.id, e.source, e.type, e.subject, e.version, e.attributes, e.data_format, e.data
  from unnest($2::int4[], $3::int8[]) as u (partition, "next")
 cross join lateral (
    select x.*, sum(octet_length(x.attributes) + coalesce(octet_length(x.data), 0) + 200) over w as before
      from (select * from weir.events y
             where y.stream_id = $1 and y.partition = u.partition and y."offset" >= u."next"
               and y.recorded >= coalesce((select m.month::timestamp at time zone 'UTC' from weir.partition_months m
                                            where m.stream_id = $1 and m.partition = u.partition and m.first_offset <= u."next"
                                            order by m.month desc limit 1), '-infinity')
             order by y."offset" limit $4) as x
    window w as (order by x."offset" rows between unbounded preceding and 1 preceding)) as e
 where coalesce(e.before, 0) <= $5;

-- name: group_page_small
-- The same where events are small: nothing counts their bytes, which would be a third of the work. What is larger than $5 bytes
-- comes without its contents; whoever meets that asks group_page.
select e.partition, e."offset", e.recorded, e.id, e.source, e.type, e.subject, e.version,
       case when e.bytes <= $5::int8 then e.attributes end, e.data_format, case when e.bytes <= $5 then e.data end
  from unnest($2::int4[], $3::int8[]) as u (partition, "next")
 cross join lateral (
    select y.partition, y."offset", y.recorded, y.id, y.source, y.type, y.subject, y.version, y.attributes, y.data_format, y.data,
           octet_length(y.attributes) + coalesce(octet_length(y.data), 0) as bytes
      from weir.events y
     where y.stream_id = $1 and y.partition = u.partition and y."offset" >= u."next"
       and y.recorded >= coalesce((select m.month::timestamp at time zone 'UTC' from weir.partition_months m
                                    where m.stream_id = $1 and m.partition = u.partition and m.first_offset <= u."next"
                                    order by m.month desc limit 1), '-infinity')
     order by y."offset" limit $4) as e;

-- name: events_at
select u.ord::int4 as ord, e."offset", e.recorded, e.id, e.source, e.type, e.subject, e.version, e.attributes, e.data_format, e.data
  from unnest($2::int4[], $3::int8[]) with ordinality as u (partition, "offset", ord)
 cross join lateral (
    select * from weir.events y
     where y.stream_id = $1 and y.partition = u.partition and y."offset" = u."offset"
       and y.recorded >= coalesce((select m.month::timestamp at time zone 'UTC' from weir.partition_months m
                                    where m.stream_id = $1 and m.partition = u.partition and m.first_offset <= u."offset"
                                    order by m.month desc limit 1), '-infinity')
    offset 0) as e;

-- name: keys_at
-- What events are ordered by: the attribute partitionkey as it stands among the others, and their subject.
select u.ord::int4 as ord, e.subject, substring(e.attributes from '"partitionkey":"(?:[^"\\]|\\.)*"') as attribute
  from unnest($2::int4[], $3::int8[]) with ordinality as u (partition, "offset", ord)
 cross join lateral (
    select y.subject, y.attributes from weir.events y
     where y.stream_id = $1 and y.partition = u.partition and y."offset" = u."offset"
       and y.recorded >= coalesce((select m.month::timestamp at time zone 'UTC' from weir.partition_months m
                                    where m.stream_id = $1 and m.partition = u.partition and m.first_offset <= u."offset"
                                    order by m.month desc limit 1), '-infinity')
    offset 0) as e;

-- name: letters_at
select u.ord::int4 as ord, e."offset", e.recorded, e.id, e.source, e.type, e.subject, e.version, e.attributes, e.data_format, e.data
  from unnest($2::uuid[]) with ordinality as u (letter_id, ord)
 cross join lateral (select * from weir.dead_letters y where y.stream_id = $1 and y.letter_id = u.letter_id offset 0) as e;

-- name: earliest_of
select partition, earliest from weir.partitions where stream_id = $1 and partition = any($2::int4[]);

-- name: letters_known
-- Letters of events that died before; a seek has brought them back. (The order asks for the index that has the offsets: without
-- statistics one that has all letters of the group looks as good.)
select u.ord::int4 as ord, y.letter_id
  from unnest($3::int4[], $4::int8[]) with ordinality as u (partition, "offset", ord)
 cross join lateral (select y.letter_id, y."offset" from weir.dead_letters y
                      where y.stream_id = $1 and y.group_name = $2 and y.partition = u.partition and y."offset" >= u."offset"
                      order by y."offset" limit 1) as y
 where y."offset" = u."offset";

-- name: letters_bury
-- Events from the log, copied as they are. What the log does not have any more is not buried.
insert into weir.dead_letters as l (stream_id, letter_id, group_name, partition, "offset", key, state, reason, error, error_type,
                                    error_masked, fingerprint, attempts, dead_at, updated_at, recorded, id, source, type, subject,
                                    version, attributes, data_format, data)
select $1, u.letter_id, $3, u.partition, u."offset", u.key, 0, u.reason, u.error, u.error_type, u.masked,
       encode(substr(sha256(convert_to($3 || E'\n' || e.type || E'\n' || u.error_type || E'\n' || u.masked, 'UTF8')), 1, 16),
              'hex')::uuid,
       coalesce(nullif(r.history, '') || ',', '') || u.entry, $4, $4, e.recorded, e.id, e.source, e.type, e.subject, e.version,
       e.attributes, e.data_format, e.data
  from unnest($5::uuid[], $6::int4[], $7::int8[], $8::int8[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
       as u (letter_id, partition, "offset", key, reason, error, error_type, masked, entry)
 cross join lateral (
    select * from weir.events y
     where y.stream_id = $1 and y.partition = u.partition and y."offset" = u."offset"
       and y.recorded >= coalesce((select m.month::timestamp at time zone 'UTC' from weir.partition_months m
                                    where m.stream_id = $1 and m.partition = u.partition and m.first_offset <= u."offset"
                                    order by m.month desc limit 1), '-infinity')
    offset 0) as e
  left join lateral (select history from weir.retries w
                      where w.stream_id = $1 and w.group_id = $2 and w.partition = u.partition and w."offset" = u."offset"
                        and w.round = 0 limit 1) as r on true
on conflict (stream_id, group_name, partition, "offset") do update
   set state = 0, reason = excluded.reason, error = excluded.error, error_type = excluded.error_type,
       error_masked = excluded.error_masked, fingerprint = excluded.fingerprint, attempts = l.attempts || ',' || excluded.attempts,
       dead_at = excluded.dead_at, updated_at = excluded.updated_at, orphaned = false,
       data = case when l.orphaned then excluded.data else l.data end, original = case when not l.orphaned then l.original end;

-- name: letters_park
-- Redriven letters that died again. One that dies of the same is poison. By ctid: nobody but the group, whose row is locked, changes
-- what is redriven.
update weir.dead_letters l
   set state = 0, reason = u.reason, error = u.error, error_type = u.error_type, error_masked = u.masked,
       fingerprint = u.fingerprint, poison = l.poison or l.fingerprint = u.fingerprint,
       attempts = l.attempts || ',' || coalesce(nullif(u.history, '') || ',', '') || u.entry, dead_at = $4, updated_at = $4
  from (select v.*, y.at, r.history,
               encode(substr(sha256(convert_to($3 || E'\n' || y.type || E'\n' || v.error_type || E'\n' || v.masked, 'UTF8')), 1, 16),
                      'hex')::uuid as fingerprint
          from unnest($5::uuid[], $6::int4[], $7::int8[], $8::int4[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
               as v (letter_id, partition, "offset", round, reason, error, error_type, masked, entry)
         cross join lateral (select ctid as at, type from weir.dead_letters x
                              where x.stream_id = $1 and x.letter_id = v.letter_id offset 0) as y
          left join lateral (select history from weir.retries w
                              where w.stream_id = $1 and w.group_id = $2 and w.partition = v.partition and w."offset" = v."offset"
                                and w.round = v.round limit 1) as r on true) as u
 where l.ctid = u.at;

-- name: letters_resolve
update weir.dead_letters set state = 2, updated_at = $2
 where stream_id = $1 and letter_id = any($3::uuid[]) and state <= 1;

-- Consumer groups: their definitions, and what management does to what they remember.

-- name: group_create
-- With its first state. No row: the name is taken.
with made as (
    insert into weir.groups (stream_id, group_id, name, ordering, paused, ack_deadline, max_retries, backoff_initial, backoff_factor,
                             backoff_max, backoff_jitter, max_in_flight, max_retrying, max_skipped, key_batch, types,
                             dlq_retry_after, dlq_retry_rounds, created, updated)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19)
    on conflict (stream_id, name) do nothing
    returning stream_id, group_id
)
insert into weir.group_states (stream_id, group_id, seq, token, generation, next, lease_floor, written)
select stream_id, group_id, 1, $20::int8, 1, $21::int8[], 1, now() from made
returning seq;

-- name: group_get
select stream_id, group_id, name, ordering, paused, ack_deadline, max_retries, backoff_initial, backoff_factor, backoff_max,
       backoff_jitter, max_in_flight, max_retrying, max_skipped, key_batch, types, dlq_retry_after, dlq_retry_rounds, created, updated
  from weir.groups where stream_id = $1 and name = $2;

-- name: group_lock
-- Nobody else changes it until the end, and no lane writes for it: each holds the row (group_hold) before it inserts its state.
select stream_id, group_id, name, ordering, paused, ack_deadline, max_retries, backoff_initial, backoff_factor, backoff_max,
       backoff_jitter, max_in_flight, max_retrying, max_skipped, key_batch, types, dlq_retry_after, dlq_retry_rounds, created, updated
  from weir.groups where stream_id = $1 and name = $2 for update;

-- name: group_list
select stream_id, group_id, name, ordering, paused, ack_deadline, max_retries, backoff_initial, backoff_factor, backoff_max,
       backoff_jitter, max_in_flight, max_retrying, max_skipped, key_batch, types, dlq_retry_after, dlq_retry_rounds, created, updated
  from weir.groups where stream_id = $1 and name > $2 order by name limit $3;

-- name: group_count
select count(*) from weir.groups where stream_id = $1;

-- name: group_update
update weir.groups
   set ordering = $3, paused = $4, ack_deadline = $5, max_retries = $6, backoff_initial = $7, backoff_factor = $8, backoff_max = $9,
       backoff_jitter = $10, max_in_flight = $11, max_retrying = $12, max_skipped = $13, key_batch = $14, types = $15,
       dlq_retry_after = $16, dlq_retry_rounds = $17, updated = $18
 where stream_id = $1 and group_id = $2;

-- name: group_delete
delete from weir.groups where stream_id = $1 and group_id = $2;

-- name: group_clear
with l as (delete from weir.leases where stream_id = $1 and group_id = $2),
     r as (delete from weir.retries where stream_id = $1 and group_id = $2)
delete from weir.skips where stream_id = $1 and group_id = $2;

-- name: group_park
-- Letters that were redriven and are not finished wait for a decision again.
with theirs as (
    select d.letter_id from weir.groups g join weir.dead_letters d on d.stream_id = $1 and d.group_name = g.name and d.state = 1
     where g.stream_id = $1 and g.group_id = $2
     order by d.letter_id for update of d
)
update weir.dead_letters d set state = 0, updated_at = now()
  from theirs where d.stream_id = $1 and d.letter_id = theirs.letter_id;

-- name: group_claim
-- The next state, which is like the newest one.
with s as (
    select seq, generation, next, lease_floor from weir.group_states
     where stream_id = $1 and group_id = $2 order by seq desc limit 1
), old as (
    delete from weir.group_states o using s where o.stream_id = $1 and o.group_id = $2 and o.seq = s.seq - 7
)
insert into weir.group_states (stream_id, group_id, seq, token, generation, next, lease_floor, written)
select $1, $2, seq + 1, $3::int8, generation, next, lease_floor, now() from s
returning seq;

-- name: group_seek
-- The next state, with other positions: what was delivered before is stale.
with s as (
    select seq, generation, lease_floor from weir.group_states
     where stream_id = $1 and group_id = $2 order by seq desc limit 1
), old as (
    delete from weir.group_states o using s where o.stream_id = $1 and o.group_id = $2 and o.seq = s.seq - 7
)
insert into weir.group_states (stream_id, group_id, seq, token, generation, next, lease_floor, written)
select $1, $2, seq + 1, $3::int8, generation + 1, $4::int8[],
       greatest(lease_floor, (select max(lease_id) + 1 from weir.leases where stream_id = $1 and group_id = $2)), now() from s
returning seq;

-- name: group_dead
select count(*) from weir.dead_letters where stream_id = $1 and group_name = $2 and state = 0;

-- name: group_oldest
-- When the first of these events was recorded; null: none of them is left.
select min((select e.recorded from weir.events e
             where e.stream_id = $1 and e.partition = u.partition and e."offset" = u."offset")) as recorded
  from unnest($2::int4[], $3::int8[]) as u (partition, "offset");

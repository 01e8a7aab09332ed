-- Stream definitions and their heads.

-- name: stream_create
-- One row when it was made, none when the name is taken. Heads begin at 0. Every gateway is told: "n<stream id> <name>".
with made as (
    insert into weir.streams (stream_id, name, partitions, retention, dedup_window, schema_validation, subject_template,
                              allow_unknown_types, subject_reads, subjects_unindexed, description, labels, created, updated)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, not $9, $10, $11, $12, $12)
    on conflict (name) do nothing
    returning stream_id, partitions, created
), heads as (
    insert into weir.partitions (stream_id, partition, recorded)
    select stream_id, p, created from made, generate_series(0, partitions - 1) p
)
select stream_id, pg_notify('weir', 'n' || stream_id || ' ' || $2) from made;

-- name: stream_get
select stream_id, name, partitions, retention, dedup_window, schema_validation, subject_template, allow_unknown_types,
       subject_reads, description, labels, created, updated
  from weir.streams where name = $1 and not deleted;

-- name: stream_lock
-- Inside a transaction: the definition, which nobody else changes until its end.
select stream_id, name, partitions, retention, dedup_window, schema_validation, subject_template, allow_unknown_types,
       subject_reads, description, labels, created, updated
  from weir.streams where name = $1 and not deleted for update;

-- name: stream_list
-- Pages by name; the caller filters by rights and asks again.
select stream_id, name, partitions, retention, dedup_window, schema_validation, subject_template, allow_unknown_types,
       subject_reads, description, labels, created, updated
  from weir.streams where name > $1 and not deleted order by name limit $2;

-- name: stream_match
-- As stream_list, of the names that match one of these LIKE patterns.
select stream_id, name, partitions, retention, dedup_window, schema_validation, subject_template, allow_unknown_types,
       subject_reads, description, labels, created, updated
  from weir.streams where name > $1 and name like any($3::text[]) and not deleted order by name limit $2;

-- name: stream_ids
select stream_id, name from weir.streams where not deleted;

-- name: stream_mark
-- Another one whenever a stream has come or gone: ids are random.
select count(*), coalesce(bit_xor(stream_id), 0) from weir.streams where not deleted;

-- name: stream_update
update weir.streams
   set retention = $2, dedup_window = $3, schema_validation = $4, subject_template = $5, allow_unknown_types = $6,
       subject_reads = $7, subjects_unindexed = subjects_unindexed or not $7, description = $8, labels = $9, updated = $10
 where stream_id = $1 and not deleted
returning stream_id;

-- name: stream_delete
-- Frees the name at once and takes heads and groups away, so that no lane writes to it any more; retention removes the rest. Its
-- dead letters' stream goes with it, and that one's.
with gone as (
    update weir.streams set deleted = true, name = '!' || stream_id, updated = $2
     where name = any(array(select $1::text || repeat('.dlq', n) from generate_series(0, $3 - 1) n)) and not deleted
       and exists (select from weir.streams where name = $1 and not deleted)
    returning stream_id
), heads as (
    delete from weir.partitions p using gone where p.stream_id = gone.stream_id
), groups as (
    delete from weir.groups g using gone where g.stream_id = gone.stream_id
)
select stream_id from gone;

-- name: stream_heads
select partition, head, earliest, recorded, bytes from weir.partitions where stream_id = $1 order by partition;

-- name: stream_figures
select stream_id, partition, head, earliest, recorded, bytes
  from weir.partitions where stream_id = any($1::int8[]) order by stream_id, partition;

-- name: notify
-- Tells every gateway: "c<stream id>" changed, "d<stream id>" deleted. (A new one: stream_create.)
select pg_notify('weir', $1);

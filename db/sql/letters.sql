-- Dead letters. The filter is the same wherever letters are chosen, $3 to $10: group, state, reason, type and subject (LIKE
-- patterns), fingerprint, from and to of dead_at; null: any.

-- name: letters_list
-- The newest first, older than $2, at most $11, ended early at $12 bytes but for the first; `found` of those that match: one more
-- than $11 when there are older ones. The size of a stored value is known without reading it.
select letter_id, group_name, state, reason, error, fingerprint, poison, attempts, redrives, note, dead_at, updated_at,
       partition, "offset", recorded, id, source, type, subject, version, attributes, data_format, data, original, found
  from (select l.*, count(*) over () as found, row_number() over (order by letter_id desc rows unbounded preceding) as nth,
               sum(octet_length(attributes) + octet_length(attempts) + coalesce(octet_length(error), 0)
                   + coalesce(octet_length(data), 0) + coalesce(octet_length(original) + octet_length(attributes), 0) + 800)
                   over (order by letter_id desc rows unbounded preceding) as running
          from (select * from weir.dead_letters
                 where stream_id = $1 and letter_id < $2
                   and ($3::text is null or group_name = $3) and ($4::int2 is null or state = $4) and ($5::text is null or reason = $5)
                   and ($6::text is null or type like $6) and ($7::text is null or subject like $7)
                   and ($8::uuid is null or fingerprint = $8)
                   and ($9::timestamptz is null or dead_at >= $9) and ($10::timestamptz is null or dead_at < $10)
                 order by letter_id desc limit $11::int8 + 1) as l) as p
 where nth <= $11 and (running <= $12 or nth = 1)
 order by letter_id desc;

-- name: letter_get
select letter_id, group_name, state, reason, error, fingerprint, poison, attempts, redrives, note, dead_at, updated_at,
       partition, "offset", recorded, id, source, type, subject, version, attributes, data_format, data, original
  from weir.dead_letters where stream_id = $1 and letter_id = $2;

-- name: letter_lock
select letter_id, group_name, state, reason, error, fingerprint, poison, attempts, redrives, note, dead_at, updated_at,
       partition, "offset", recorded, id, source, type, subject, version, attributes, data_format, data, original
  from weir.dead_letters where stream_id = $1 and letter_id = $2 for update;

-- name: letters_summary
-- What a fingerprint stands for is equal in all its letters. By count, after the count $2 and fingerprint $11.
select fingerprint, n, group_name, type, error_type, error_masked, parked, redriven, resolved, discarded, poison, first, last, sample
  from (select fingerprint, count(*) as n, min(group_name) as group_name, min(type) as type, min(error_type) as error_type,
               min(error_masked) as error_masked, count(*) filter (where state = 0) as parked,
               count(*) filter (where state = 1) as redriven, count(*) filter (where state = 2) as resolved,
               count(*) filter (where state = 3) as discarded, bool_or(poison and state = 0) as poison,
               min(letter_id::text collate "C")::uuid as first, max(dead_at) as last,
               coalesce(max(letter_id::text collate "C") filter (where state = 0), max(letter_id::text collate "C"))::uuid as sample
          from weir.dead_letters
         where stream_id = $1
           and ($3::text is null or group_name = $3) and ($4::int2 is null or state = $4) and ($5::text is null or reason = $5)
           and ($6::text is null or type like $6) and ($7::text is null or subject like $7)
           and ($8::uuid is null or fingerprint = $8)
           and ($9::timestamptz is null or dead_at >= $9) and ($10::timestamptz is null or dead_at < $10)
         group by fingerprint) as k
 where (n, k.fingerprint) < ($2::int8, $11::uuid)
 order by n desc, k.fingerprint desc limit $12;

-- name: letters_match
-- Ids, ascending: after $2, not beyond $11.
select letter_id from weir.dead_letters
 where stream_id = $1 and letter_id > $2 and letter_id <= $11
   and ($3::text is null or group_name = $3) and ($4::int2 is null or state = $4) and ($5::text is null or reason = $5)
   and ($6::text is null or type like $6) and ($7::text is null or subject like $7)
   and ($8::uuid is null or fingerprint = $8)
   and ($9::timestamptz is null or dead_at >= $9) and ($10::timestamptz is null or dead_at < $10)
 order by letter_id limit $12;

-- name: letters_count
select count(*), max(letter_id::text collate "C")::uuid as last from weir.dead_letters
 where stream_id = $1 and letter_id > $2
   and ($3::text is null or group_name = $3) and ($4::int2 is null or state = $4) and ($5::text is null or reason = $5)
   and ($6::text is null or type like $6) and ($7::text is null or subject like $7)
   and ($8::uuid is null or fingerprint = $8)
   and ($9::timestamptz is null or dead_at >= $9) and ($10::timestamptz is null or dead_at < $10);

-- name: letters_groups
-- The groups that parked letters belong to, in the order in which they are locked; null: it was deleted. (state + 0, here and below: the
-- letters are found by their ids. While there are no statistics an index of parked ones looks as good, and has all of them.)
select distinct l.group_name, g.group_id
  from weir.dead_letters l left join weir.groups g on g.stream_id = $1 and g.name = l.group_name
 where l.stream_id = $1 and l.letter_id = any($2::uuid[]) and l.state + 0 = 0
 order by g.group_id;

-- name: letters_lock
select letter_id, group_name, state from weir.dead_letters
 where stream_id = $1 and letter_id = any($2::uuid[]) order by letter_id for update;

-- name: letters_redrive
-- Parked letters of the groups $3 (their ids $4), which are locked: back as retries that are due. $5: why; $6: by the group's
-- dlq_retry. By hand clears `poison`: somebody takes it upon himself.
with moved as (
    update weir.dead_letters l
       set state = 1, redrives = l.redrives + 1, auto_redrives = l.auto_redrives + $6::boolean::integer, note = $5,
           poison = l.poison and $6, updated_at = statement_timestamp()
      from unnest($3::text[], $4::int8[]) as g (name, group_id)
     where l.stream_id = $1 and l.letter_id = any($2::uuid[]) and l.state + 0 = 0 and l.group_name || '' = g.name
    returning l.letter_id, g.group_id, l.partition, l."offset", l.redrives, l.key
)
insert into weir.retries (stream_id, group_id, partition, "offset", round, letter_id, failures, key, not_before, single, history)
select $1, group_id, partition, "offset", redrives, letter_id, 0, key, statement_timestamp(), false, '' from moved
returning letter_id;

-- name: letters_discard
update weir.dead_letters set state = 3, note = $3, updated_at = statement_timestamp()
 where stream_id = $1 and letter_id = any($2::uuid[]) and state + 0 = 0
returning letter_id;

-- name: letter_repair
update weir.dead_letters set original = coalesce(original, data), data = $3, updated_at = statement_timestamp()
 where stream_id = $1 and letter_id = $2 and state = 0
returning letter_id;

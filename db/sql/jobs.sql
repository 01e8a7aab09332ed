-- Bulk redrives and discards as durable jobs, and automatic redrives.

-- name: job_add
-- No row: as many of the stream's jobs run as may ($11); its row is locked.
insert into weir.jobs (stream_id, job_id, kind, state, filter, reason, letters, rate, matched, last, actor, created, updated, due)
select $1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, now(), now(), now()
 where (select count(*) from weir.jobs where stream_id = $1 and state = 0) < $11
returning created;

-- name: job_find
-- The caller's rights depend on the stream, which the id does not tell.
select j.stream_id, j.job_id, s.name, j.kind, j.state, j.filter, j.reason, j.letters, j.rate, j.matched, j.done, j.failed, j.last,
       j.position, j.error, j.actor, j.created, j.updated, j.due, now() as now
  from weir.jobs j join weir.streams s using (stream_id)
 where j.job_id = $1 and not s.deleted;

-- name: job_lock
-- Waits for the step that is being done.
select j.stream_id, j.job_id, s.name, j.kind, j.state, j.filter, j.reason, j.letters, j.rate, j.matched, j.done, j.failed, j.last,
       j.position, j.error, j.actor, j.created, j.updated, j.due, now() as now
  from weir.jobs j join weir.streams s using (stream_id)
 where j.stream_id = $1 and j.job_id = $2 and not s.deleted for update of j;

-- name: job_list
-- The newest first, older than $1; the caller filters by rights and asks again.
select j.stream_id, j.job_id, s.name, j.kind, j.state, j.filter, j.reason, j.letters, j.rate, j.matched, j.done, j.failed, j.last,
       j.position, j.error, j.actor, j.created, j.updated, j.due, now() as now
  from weir.jobs j join weir.streams s using (stream_id)
 where j.job_id < $1 and not s.deleted and ($2::text is null or s.name = $2) and ($3::int2 is null or j.state = $3)
 order by j.job_id desc limit $4;

-- name: job_take
-- The job that has waited longest for a step, unless another gateway is at it.
select j.stream_id, j.job_id, s.name, j.kind, j.state, j.filter, j.reason, j.letters, j.rate, j.matched, j.done, j.failed, j.last,
       j.position, j.error, j.actor, j.created, j.updated, j.due, now() as now
  from weir.jobs j join weir.streams s using (stream_id)
 where j.state = 0 and j.due <= now() and not s.deleted
 order by j.due limit 1 for update of j skip locked;

-- name: job_move
update weir.jobs
   set state = $3, matched = $4, done = $5, failed = $6, position = $7, error = $8, updated = $9, due = $10
 where stream_id = $1 and job_id = $2 and state = 0;

-- name: jobs_forget
delete from weir.jobs where ctid = any (array(select ctid from weir.jobs where state > 0 and updated < $1 order by updated limit $2));

-- name: letters_fit
-- For each of these letters: may its group take it? Half of max_retrying is left to what fails by itself. One without a group is let
-- through: a redrive says what is wrong with it.
with chosen as (
    select letter_id, group_name, row_number() over (partition by group_name order by letter_id) as nth
      from weir.dead_letters where stream_id = $1 and letter_id = any($2::uuid[])
), rooms as (
    select g.name, (g.max_retrying + 1) / 2 - (select count(*) from weir.retries r
                                                where r.stream_id = g.stream_id and r.group_id = g.group_id) as room
      from weir.groups g where g.stream_id = $1 and g.name in (select group_name from chosen)
)
select c.letter_id, coalesce(c.nth <= r.room, true) as fits
  from chosen c left join rooms r on r.name = c.group_name order by c.letter_id;

-- name: auto_groups
-- Groups that redrive by themselves and have a letter that is due.
select g.stream_id, s.name, g.name
  from weir.groups g join weir.streams s using (stream_id)
 cross join lateral (
    select from weir.dead_letters l
     where l.stream_id = g.stream_id and l.group_name = g.name and l.state = 0
       and l.auto_redrives < g.dlq_retry_rounds and l.dead_at <= now() - g.dlq_retry_after * interval '1 microsecond'
       and not exists (select from weir.dead_letters p
                        where p.stream_id = g.stream_id and p.group_name = g.name
                          and p.fingerprint = l.fingerprint and p.state = 0 and p.poison)
     limit 1) as due
 where g.dlq_retry_after is not null and not s.deleted
 limit $1;

-- name: auto_match
-- Letters of the group $2 that are due, the oldest first: parked for $4 microseconds, redriven by themselves less than $3 times, and none
-- of their fingerprint is poison. $6 is parked: as a constant it would make an index look good that has not the order.
select l.letter_id from weir.dead_letters l
 where l.stream_id = $1 and l.group_name = $2 and l.state = $6 and l.auto_redrives < $3
   and l.dead_at <= now() - $4::int8 * interval '1 microsecond'
   and not exists (select from weir.dead_letters p
                    where p.stream_id = $1 and p.group_name = $2 and p.fingerprint = l.fingerprint and p.state = 0 and p.poison)
 order by l.letter_id limit $5;

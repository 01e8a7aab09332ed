-- Events that Weir itself publishes, until they are in their streams: weir.outbox. Gateways of the release before write what
-- they have done into weir.audit: its rows are passed on in the same order.

-- name: outbox_insert
-- The time is taken when the transaction has its number, by which outbox_floor knows that it writes.
insert into weir.outbox (stream_id, id, stream, recorded, type, source, subject, traceparent, data)
select $1::int8, $2::uuid, $3::text, clock_timestamp(), $4::text, $5::text, $6::text, $7::text, $8::text from pg_current_xact_id();

-- name: outbox_letters
-- What died just now in this transaction, as DeadLettered: the letter as the API shows it, without the event as it was before its
-- repairs. The event's members are those of event_render (gateway/engine/event.c); JSON data stays as it was sent. A text that holds a
-- NUL, which no text of PostgreSQL can, comes as base64.
insert into weir.outbox (stream_id, id, stream, recorded, type, source, subject, data)
select $1, md5(concat(l.letter_id, '/', l.redrives, '/', l.dead_at))::uuid, $2::text || '.dlq', clock_timestamp(), 'DeadLettered',
       '/v1/streams/' || $2 || '/dlq',
       coalesce(substring(l.attributes from '(?:^|,)"partitionkey":("(?:[^"\\]|\\.)*")')::json #>> '{}', l.subject, ''),
       concat('{"id":"', l.letter_id, '","group":', to_json(l.group_name),
              ',"state":"', (array['parked', 'redriven', 'resolved', 'discarded'])[l.state + 1],
              '","event":{"specversion":"1.0","id":', to_json(l.id), ',"source":', to_json(coalesce(l.source, '/v1/streams/' || $2)),
              ',"type":', to_json(l.type), ',"subject":' || to_json(l.subject)::text, ',' || nullif(l.attributes, ''),
              ',"stream":"', $2, '","partition":', l.partition, ',"offset":"', l."offset", '","recordedtime":"',
              to_char(l.recorded at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"', ',"version":' || l.version,
              case when l.data_format = 1 then ',"data":' || convert_from(l.data, 'UTF8')
                   when l.data_format = 2 and position('\x00'::bytea in l.data) = 0
                       then ',"data":' || to_json(convert_from(l.data, 'UTF8'))::text
                   when l.data_format > 0 then concat(',"data_base64":"', translate(encode(l.data, 'base64'), e'\n', ''), '"') end,
              '},"reason":', to_json(l.reason), ',"error":', coalesce(l.error, 'null'),
              ',"fingerprint":"', replace(l.fingerprint::text, '-', ''),
              '","attempts":[', case when octet_length(l.attempts) <= $4 then l.attempts end,
              '],"redrives":', l.redrives, ',"poison":', to_json(l.poison),
              ',"dead_at":"', to_char(l.dead_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
              '","updated_at":"', to_char(l.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"',
              ',"note":', coalesce(to_json(l.note)::text, 'null'), '}')
  from weir.dead_letters l where l.stream_id = $1 and l.letter_id = any($3::uuid[]);

-- name: outbox_floor
-- What is not visible yet is recorded after this: by whoever has begun to write, or later than this statement, which looks who has.
select least(statement_timestamp(), min(xact_start)) as floor
  from pg_stat_activity where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid();

-- name: outbox_pending
-- The oldest $2 rows recorded since $1, ended early at $3 bytes of data but for the first; by stream, of each in order. What is set
-- aside has the time `infinity`.
select stream_id, id, stream, recorded, type, source, subject, traceparent, data, of_audit
  from (select w.*, row_number() over (order by recorded, id rows unbounded preceding) as nth,
               sum(octet_length(data)) over (order by recorded, id rows unbounded preceding) as running
          from ((select stream_id, id, stream, recorded, type, source, subject, traceparent, data, false as of_audit
                   from weir.outbox where recorded >= $1 and recorded < 'infinity' order by recorded, id limit $2)
                union all
                (select 0::int8, id, '_audit' collate "C", recorded, type, regexp_replace(resource, '(.)/[^/]*$', '\1'), resource,
                        traceparent, data, true
                   from weir.audit where recorded >= $1 and recorded < 'infinity' order by recorded, id limit $2)) as w) as p
 where nth <= $2 and (running <= $3 or nth = 1)
 order by stream, stream_id, recorded, id;

-- name: outbox_origin
-- Inside a transaction: the stream that is told of, which nobody deletes until its end.
select stream_id from weir.streams where stream_id = $1 and not deleted for share;

-- name: outbox_remove
-- By ctid: one that somebody has just set aside stays.
delete from weir.outbox o
 using (select x.at
          from unnest($1::int8[], $2::uuid[]) as u (stream_id, id)
         cross join lateral (select ctid as at from weir.outbox x where x.stream_id = u.stream_id and x.id = u.id offset 0) x) t
 where o.ctid = t.at;

-- name: outbox_set_aside
-- Out of the way of the others; the time of what it tells of is in it.
update weir.outbox set recorded = 'infinity' where stream_id = $1 and id = $2;

-- name: audit_remove
delete from weir.audit where id = any($1::uuid[]);

-- name: audit_set_aside
update weir.audit set recorded = 'infinity' where id = $1;

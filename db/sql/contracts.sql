-- Contracts of consumers. They are changed under the claim of weir.registry; an enforced one also under the locks of its subjects
-- (schemas.sql), since who registers looks for it under that.

-- name: contract_get
select c.consumer, c.enforced, r.context, r.subject, r.version, r.type, r.schema, r.refs, r.documents
  from weir.contracts c join weir.contract_reads r on r.consumer = c.consumer
 where c.consumer = $1 order by r.context, r.subject;

-- name: contract_next
-- The next contract that reads a subject, after a consumer; $4: an enforced one.
select c.consumer, c.enforced, r.context, r.subject, r.version, r.type, r.schema, r.refs, r.documents
  from weir.contract_reads r join weir.contracts c on c.consumer = r.consumer
 where r.context = $1 and r.subject = $2 and r.consumer > $3 and (c.enforced or not $4)
 order by r.consumer limit 1;

-- name: contract_list
-- Without what their schemas are: the reads of the next $2 contracts.
select c.consumer, c.enforced, r.context, r.subject, r.version
  from (select consumer, enforced from weir.contracts where consumer > $1 order by consumer limit $2) c
  join weir.contract_reads r on r.consumer = c.consumer
 order by c.consumer, r.context, r.subject;

-- name: contract_subjects
-- That contracts read, after a subject, in order.
select context, subject from weir.contract_reads where (context, subject) > ($1, $2)
 group by context, subject order by context, subject limit $3;

-- name: contract_room
-- Beside the contract of a consumer: how many there are, and the most that read one of these subjects.
select (select count(*) from weir.contracts where consumer <> $1),
       (select coalesce(max(n), 0)
          from unnest($2::text[], $3::text[]) as s (context, subject),
               lateral (select count(*) as n from weir.contract_reads r
                         where r.context = s.context and r.subject = s.subject and r.consumer <> $1) as readers);

-- name: contract_put
insert into weir.contracts (consumer, enforced) values ($1, $2) on conflict (consumer) do update set enforced = excluded.enforced;

-- name: contract_empty
delete from weir.contract_reads where consumer = $1;

-- name: contract_fill
insert into weir.contract_reads (consumer, context, subject, version, type, schema, refs, documents)
select $1, r.* from unnest($2::text[], $3::text[], $4::int4[], $5::int4[], $6::text[], $7::text[], $8::text[]) as r;

-- name: contract_delete
-- With its reads.
delete from weir.contracts where consumer = $1;

-- What an application does that keeps totals itself. All at once: one statement (rebuild.py). Or as events come: a worker that takes
-- so many in a transaction, adds them to rows, and moves its position in the same transaction.
create table bench.totals (
    key text primary key, orders bigint not null, revenue numeric not null, largest numeric not null);
create table bench.positions (
    partition integer primary key, position bigint not null);

create procedure bench.add_up(stream bigint, partitions integer, batch integer) language plpgsql as $$
declare
    taken bigint;
    begun bigint;
begin
    for p in 0 .. partitions - 1 loop
        loop
            select position into begun from bench.positions where partition = p for update;
            with page as materialized (
                select e."offset", e.subject, (convert_from(e.data, 'UTF8')::json->>'total')::numeric as total
                  from weir.events e
                 where e.stream_id = stream and e.partition = p and e."offset" > begun
                 order by e."offset" limit batch
            ), moved as (
                update bench.positions set position = (select max("offset") from page)
                 where partition = p and exists (select from page)
            ), added as (
                insert into bench.totals as t
                select subject, count(*), sum(total), max(total) from page group by subject order by subject
                    on conflict (key) do update set orders = t.orders + excluded.orders, revenue = t.revenue + excluded.revenue,
                                                    largest = greatest(t.largest, excluded.largest)
            )
            select count(*) into taken from page;
            commit;
            exit when taken < batch;
        end loop;
    end loop;
end $$;

-- Plan key: after is given; where has not.status.eq; orderBy = [STARTED_AT DESC], rows without it last.
-- A cursor is [mark, sort values, primary key]; the mark binds it to ordering and filter and was
-- checked when the cursor was read, so that only its values come here, one of which may be null.
with page as materialized (
  select r.id, r.started_at, r.status, f.number,
    row_number() over (order by r.started_at desc nulls last, r.id desc) as place,
    translate(encode(convert_to(
      '["' || :mark::text || '",'
      || coalesce('"' || replace(
          to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', ''
        ) || '+00:00"', 'null')
      || ',"' || r.id || '"]', 'UTF8'), 'base64'), E'+/=\n', '-_') as cursor
  from runs r
  join pipeline_runs f on f.run_id = r.id
  where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
    and f.project_id = :project::bigint
    and not (r.status = :where.not.status.eq)
    and ((:after.0::timestamptz is not null and (r.started_at < :after.0::timestamptz or r.started_at is null))
      or (r.started_at is not distinct from :after.0::timestamptz and r.id < :after.1::uuid))
  order by r.started_at desc nulls last, r.id desc
  limit :first::bigint + 1
)
select '{"data":{"pipelineRuns":{"edges":' || coalesce((
    select json_agg(x)::text
    from (
      select
        g.cursor,
        (
          select to_json(y)
          from (
            select
              encode(convert_to('PipelineRun:' || g.id, 'UTF8'), 'base64') as id,
              g.number,
              upper(g.status) as status,
              to_char(g.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "startedAt"
          ) y
        ) as node
      from page g
      where g.place <= :first::bigint
      order by g.place
    ) x
  ), '[]')
  || ',"pageInfo":{"hasNextPage":' || ((select count(*) from page) > :first::bigint)::text
  || ',"hasPreviousPage":' || true::text || ',"startCursor":'
  || coalesce((select to_json(g.cursor)::text from page g where g.place = 1), 'null')
  || ',"endCursor":'
  || coalesce((
    select to_json(g.cursor)::text from page g where g.place <= :first::bigint order by g.place desc limit 1
  ), 'null')
  || '},"totalCount":' || (
    select count(*)::text
    from runs r
    join pipeline_runs f on f.run_id = r.id
    where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
      and f.project_id = :project::bigint
      and not (r.status = :where.not.status.eq)
  ) || '}}}'

-- Plan key: withSchedules = true; where has tags.hasAny; orderBy = [UUID DESC].
-- One row more than the page says whether another page follows; the count is a query of its own.
with page as materialized (
  select p.id, p.created_at, p.data_integration, p.description, p.executor_count, p.name, p.settings,
    p.tags, p.type, p.updated_at, p.uuid
  from pipelines p
  where (:viewer_is_owner::boolean or p.project_id = any(:viewer_pipeline_read::bigint[]))
    and p.project_id = :project::bigint
    and p.tags && :where.tags.hasAny::text[]
  order by p.uuid desc, p.id desc
  limit :limit::bigint + 1 offset :offset::bigint
)
select '{"data":{"pipelines":{"nodes":' || coalesce((
    select json_agg(x)::text
    from (
      select
        to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
        p.data_integration,
        p.description,
        p.executor_count,
        p.name,
        p.settings,
        p.tags,
        upper(p.type) as type,
        to_char(p.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as updated_at,
        p.uuid,
        blocks.list as blocks,
        schedules.list as schedules
      from (select * from page order by uuid desc, id desc limit :limit::bigint) p
      cross join lateral (
        select coalesce(json_agg(y), '[]') as list
        from (
          select
            not exists (
              select 1 from blocks o
              where o.pipeline_id = b.pipeline_id and o.uuid = any(b.upstream_blocks) and o.status <> 'executed'
            ) as all_upstream_blocks_executed,
            coalesce((
              select array_agg(o.uuid order by o.position, o.id) from blocks o
              where o.pipeline_id = b.pipeline_id and b.uuid = any(o.upstream_blocks) and o.type = 'callback'
            ), '{}') as callback_blocks,
            b.configuration,
            coalesce((
              select array_agg(o.uuid order by o.position, o.id) from blocks o
              where o.pipeline_id = b.pipeline_id and b.uuid = any(o.upstream_blocks)
                and o.type not in ('callback', 'conditional')
            ), '{}') as downstream_blocks,
            upper(b.status) as status,
            b.timeout_s as timeout,
            upper(b.type) as type,
            b.upstream_blocks,
            b.uuid
          from blocks b
          where b.pipeline_id = p.id
            and (:viewer_is_owner::boolean or b.project_id = any(:viewer_pipeline_read::bigint[]))
          order by b.position, b.id
        ) y
      ) blocks
      cross join lateral (
        select coalesce(json_agg(y), '[]') as list
        from (
          select
            t.id,
            t.name,
            t.interval as schedule_interval,
            upper(t.type) as schedule_type,
            to_char(t.start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as start_time,
            upper(t.status) as status
          from triggers t
          where t.pipeline_id = p.id
            and (:viewer_is_owner::boolean or t.project_id = any(:viewer_pipeline_read::bigint[]))
          order by t.id desc
        ) y
      ) schedules
      order by p.uuid desc, p.id desc
    ) x
  ), '[]')
  || ',"pageInfo":{"hasNextPage":' || ((select count(*) from page) > :limit::bigint)::text
  || '},"totalCount":' || (
    select count(*)::text
    from pipelines p
    where (:viewer_is_owner::boolean or p.project_id = any(:viewer_pipeline_read::bigint[]))
      and p.project_id = :project::bigint
      and p.tags && :where.tags.hasAny::text[]
  ) || '}}}'

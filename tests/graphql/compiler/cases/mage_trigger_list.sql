-- Plan key: where has or of [type.in, pipelineUuid.startsWith].
-- A mask is an expression of the row: whether the caller may start runs in the row's project.
with page as materialized (
  select t.*
  from triggers t
  where (:viewer_is_owner::boolean or t.project_id = any(:viewer_pipeline_read::bigint[]))
    and t.project_id = :project::bigint
    and (t.type = any(:where.or.0.type.in::text[])
      or t.pipeline_id in (select p.id from pipelines p where starts_with(p.uuid, :where.or.1.pipelineUuid.startsWith)))
  order by t.id desc
  limit :limit::bigint + 1 offset :offset::bigint
)
select '{"data":{"triggers":{"nodes":' || coalesce((
    select json_agg(x)::text
    from (
      select
        t.description,
        t.event_matchers,
        t.id,
        to_char(t.last_enabled_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_enabled_at,
        (
          select r.status
          from runs r join pipeline_runs f on f.run_id = r.id
          where f.trigger_id = t.id
          order by f.number desc limit 1
        ) as last_pipeline_run_status,
        t.name,
        (
          select to_json(y)
          from (
            select p.uuid from pipelines p
            where p.id = t.pipeline_id
              and (:viewer_is_owner::boolean or p.project_id = any(:viewer_pipeline_read::bigint[]))
          ) y
        ) as pipeline,
        (
          select count(*)
          from pipeline_runs f join runs r on r.id = f.run_id
          where f.trigger_id = t.id and r.status in ('queued', 'running')
        ) as pipeline_in_progress_runs_count,
        (
          select count(*)
          from pipeline_runs f join runs r on r.id = f.run_id
          where f.trigger_id = t.id
        ) as pipeline_runs_count,
        t.interval as schedule_interval,
        upper(t.type) as schedule_type,
        t.settings,
        t.sla,
        to_char(t.start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as start_time,
        upper(t.status) as status,
        t.tags,
        case when :viewer_is_owner::boolean or t.project_id = any(:viewer_pipeline_run::bigint[])
          then t.token end as token,
        t.variables
      from (select * from page order by id desc limit :limit::bigint) t
      order by t.id desc
    ) x
  ), '[]')
  || ',"pageInfo":{"hasNextPage":' || ((select count(*) from page) > :limit::bigint)::text
  || '},"totalCount":' || (
    select count(*)::text
    from triggers t
    where (:viewer_is_owner::boolean or t.project_id = any(:viewer_pipeline_read::bigint[]))
      and t.project_id = :project::bigint
      and (t.type = any(:where.or.0.type.in::text[])
        or t.pipeline_id in (select p.id from pipelines p where starts_with(p.uuid, :where.or.1.pipelineUuid.startsWith)))
  ) || '}}}'

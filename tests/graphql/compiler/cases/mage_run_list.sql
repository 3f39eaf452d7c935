-- Plan key: where has status.in, pipeline.type.eq, createdAt.gte;
-- orderBy = [EXECUTION_DATE DESC, NUMBER DESC]. A PipelineRun is a row of runs joined with its facet.
-- The order of the page is kept as a row number, since two tables share it.
with page as materialized (
  select r.id, r.created_at, r.started_at, r.finished_at, r.status, f.backfill_id, f.event_variables,
    f.execution_date, f.number, f.metrics, f.passed_sla, f.trigger_id, f.pipeline_uuid, f.trigger_name,
    f.variables, f.pipeline_id,
    row_number() over (order by f.execution_date desc, f.number desc, r.id desc) as place
  from runs r
  join pipeline_runs f on f.run_id = r.id
  where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
    and f.project_id = :project::bigint
    and r.status = any(:where.status.in::text[])
    and f.pipeline_id in (select p.id from pipelines p where p.type = :where.pipeline.type.eq)
    and r.created_at >= :where.createdAt.gte
  order by f.execution_date desc, f.number desc, r.id desc
  limit :limit::bigint + 1 offset :offset::bigint
)
select '{"data":{"pipelineRuns":{"nodes":' || coalesce((
    select json_agg(x)::text
    from (
      select
        g.backfill_id,
        to_char(g.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
        g.event_variables,
        to_char(g.execution_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as execution_date,
        to_char(g.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as finished_at,
        g.number as id,
        g.metrics,
        g.passed_sla,
        g.trigger_id as pipeline_schedule_id,
        g.pipeline_uuid,
        to_char(g.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
        upper(g.status) as status,
        g.trigger_name,
        g.variables,
        (select count(*) from run_steps s where s.run_id = g.id) as block_runs_count,
        (select count(*) from run_steps s where s.run_id = g.id and s.status = 'succeeded')
          as completed_block_runs_count,
        (
          select to_json(y)
          from (
            select
              t.name,
              case when :viewer_is_owner::boolean or t.project_id = any(:viewer_pipeline_run::bigint[])
                then t.token end as token,
              upper(t.type) as type
            from triggers t
            where t.id = g.trigger_id
              and (:viewer_is_owner::boolean or t.project_id = any(:viewer_pipeline_read::bigint[]))
          ) y
        ) as trigger,
        (
          select to_json(y)
          from (
            select p.tags, upper(p.type) as type
            from pipelines p
            where p.id = g.pipeline_id
              and (:viewer_is_owner::boolean or p.project_id = any(:viewer_pipeline_read::bigint[]))
          ) y
        ) as pipeline,
        steps.list as steps
      from page g
      cross join lateral (
        select coalesce(json_agg(y), '[]') as list
        from (
          select
            s.name as block_uuid,
            s.error,
            to_char(s.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as finished_at,
            s.id,
            s.metrics,
            to_char(s.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
            upper(s.status) as status,
            s.traceback
          from run_steps s
          where s.run_id = g.id
            and (:viewer_is_owner::boolean or s.project_id = any(:viewer_pipeline_read::bigint[]))
          order by s.position, s.id
        ) y
      ) steps
      where g.place <= :offset::bigint + :limit::bigint
      order by g.place
    ) x
  ), '[]')
  || ',"pageInfo":{"hasNextPage":' || ((select count(*) from page) > :limit::bigint)::text
  || '},"totalCount":' || (
    select count(*)::text
    from runs r
    join pipeline_runs f on f.run_id = r.id
    where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
      and f.project_id = :project::bigint
      and r.status = any(:where.status.in::text[])
      and f.pipeline_id in (select p.id from pipelines p where p.type = :where.pipeline.type.eq)
      and r.created_at >= :where.createdAt.gte
  ) || '}}}'

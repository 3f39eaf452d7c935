-- The last n of each parent come from a lateral join: (pipeline_id, number desc) is indexed.
select '{"data":{"pipelines":{"nodes":' || coalesce((
    select json_agg(x)::text
    from (
      select
        encode(convert_to('Pipeline:' || p.id, 'UTF8'), 'base64') as id,
        p.uuid,
        p.name,
        upper(p.type) as type,
        to_char(p.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "updatedAt",
        blocks.list as blocks,
        json_build_object('nodes', runs.list) as runs
      from (
        select p.*
        from pipelines p
        where (:viewer_is_owner::boolean or p.project_id = any(:viewer_pipeline_read::bigint[]))
          and p.project_id = :project::bigint
        order by p.uuid, p.id
        limit :first::bigint
      ) p
      cross join lateral (
        select coalesce(json_agg(y), '[]') as list
        from (
          select b.uuid, b.name, upper(b.type) as type, upper(b.language) as language, b.position
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
            f.number,
            upper(r.status) as status,
            to_char(f.execution_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "executionDate",
            to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "startedAt",
            to_char(r.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "finishedAt"
          from pipeline_runs f
          join runs r on r.id = f.run_id
          where f.pipeline_id = p.id
            and (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
          order by f.number desc
          limit :lastRuns::bigint
        ) y
      ) runs
      order by p.uuid, p.id
    ) x
  ), '[]') || '}}}'

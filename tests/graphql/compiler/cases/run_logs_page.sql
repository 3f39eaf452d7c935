-- The lines are read by their primary key (run_id, seq), one more than the page holds.
select '{"data":{"pipelineRun":' || coalesce((
    select to_json(x)::text
    from (
      select
        encode(convert_to('PipelineRun:' || r.id, 'UTF8'), 'base64') as id,
        f.number,
        upper(r.status) as status,
        json_build_object('nodes', logs.list, 'pageInfo', json_build_object('hasNextPage', logs.more)) as logs
      from runs r
      join pipeline_runs f on f.run_id = r.id
      cross join lateral (
        select
          coalesce(json_agg(to_json(y)) filter (where page.place <= :first::bigint), '[]') as list,
          count(*) > :first::bigint as more
        from (
          select l.*, row_number() over (order by l.seq) as place
          from run_logs l
          where l.run_id = r.id
            and (:viewer_is_owner::boolean or l.project_id = any(:viewer_pipeline_read::bigint[]))
            and l.seq >= :behind::bigint
            and l.step = :step
          order by l.seq
          limit :first::bigint + 1
        ) page
        cross join lateral (
          select
            page.seq::text as seq,
            to_char(page.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
            page.level,
            page.step,
            page.step_id::text as "stepNumber",
            page.message
        ) y
      ) logs
      where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
        and f.number = :number::bigint
    ) x
  ), 'null') || '}}'

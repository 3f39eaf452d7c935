-- Each kind of run is an object of its own in a case on the discriminator; the facets of all kinds
-- are joined where a row has them, and kinds without a type are left out.
select '{"data":{"runs":{"totalCount":' || (
    select count(*)::text
    from runs r
    where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
      and r.kind in ('pipeline')
      and r.project_id = :project::bigint
  )
  || ',"nodes":' || coalesce((
    select json_agg(x.object)::text
    from (
      select case r.kind when 'pipeline' then (
          select to_json(y)
          from (
            select
              'PipelineRun' as "__typename",
              encode(convert_to('PipelineRun:' || r.id, 'UTF8'), 'base64') as id,
              upper(r.kind) as kind,
              upper(r.status) as status,
              r.version::text as "lastSeq",
              r.attempt,
              r.reason,
              r.error,
              to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
              (
                select to_json(z)
                from (
                  select
                    encode(convert_to('User:' || u.id, 'UTF8'), 'base64') as id,
                    u.username,
                    u.first_name as "firstName"
                  from users u
                  where u.id = r.created_by
                    and (:viewer_is_owner::boolean
                      or u.id = :viewer_id::bigint
                      or exists (
                        select 1 from memberships m
                        where m.user_id = u.id
                          and (:viewer_is_owner::boolean or m.project_id = any(:viewer_project_read::bigint[]))
                      ))
                ) z
              ) as "createdBy",
              f.number,
              f.pipeline_uuid as "pipelineUuid",
              f.variables
          ) y
        ) end as object
      from runs r
      left join pipeline_runs f on f.run_id = r.id
      where (:viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[]))
        and r.kind in ('pipeline')
        and r.project_id = :project::bigint
      order by r.created_at desc, r.id desc
      limit :first::bigint
    ) x
  ), '[]') || '}}}'

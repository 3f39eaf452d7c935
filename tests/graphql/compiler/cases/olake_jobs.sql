-- Plan key: where has sourceNumber.eq and destinationNumber.eq. One round trip for what an ORM would
-- read with five.
select '{"data":{"syncJobs":{"nodes":' || coalesce((
    select json_agg(x)::text
    from (
      select
        j.is_active as activate,
        to_char(j.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_at,
        (
          select to_json(y)
          from (
            select u.username from users u
            where u.id = j.created_by
              and (:viewer_is_owner::boolean
                or u.id = :viewer_id::bigint
                or exists (
                  select 1 from memberships m
                  where m.user_id = u.id
                    and (:viewer_is_owner::boolean or m.project_id = any(:viewer_project_read::bigint[]))
                ))
          ) y
        ) as created_by,
        (
          select to_json(y)
          from (
            select d.shown_config as config, d.id, d.name, d.type, d.connector_version as version
            from sync_destinations d
            where d.id = j.destination_id
              and d.deleted_at is null
              and (:viewer_is_owner::boolean or d.project_id = any(:viewer_pipeline_read::bigint[]))
          ) y
        ) as destination,
        j.frequency,
        j.id,
        last_task.moment as last_run_time,
        last_task.object as last_task,
        j.name,
        (
          select to_json(y)
          from (
            select s.text_config as as_text, s.shown_config as config, s.id, s.name, s.type,
              s.connector_version as version
            from sync_sources s
            where s.id = j.source_id
              and s.deleted_at is null
              and (:viewer_is_owner::boolean or s.project_id = any(:viewer_pipeline_read::bigint[]))
          ) y
        ) as source,
        j.streams as streams_config,
        to_char(j.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as updated_at,
        (
          select to_json(y)
          from (
            select u.username from users u
            where u.id = j.updated_by
              and (:viewer_is_owner::boolean
                or u.id = :viewer_id::bigint
                or exists (
                  select 1 from memberships m
                  where m.user_id = u.id
                    and (:viewer_is_owner::boolean or m.project_id = any(:viewer_project_read::bigint[]))
                ))
          ) y
        ) as updated_by
      from (
        select j.*
        from sync_jobs j
        where j.deleted_at is null
          and (:viewer_is_owner::boolean or j.project_id = any(:viewer_pipeline_read::bigint[]))
          and j.project_id = :project::bigint
          and j.source_id = :where.sourceNumber.eq::bigint
          and j.destination_id = :where.destinationNumber.eq::bigint
        order by j.updated_at desc, j.id desc
        limit :limit::bigint
      ) j
      left join lateral (
        select
          to_char(coalesce(r.started_at, r.created_at) at time zone 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment,
          case
            when :viewer_is_owner::boolean or r.project_id = any(:viewer_pipeline_read::bigint[])
            then json_build_object(
              'kind', upper(r.kind),
              'startedAt', to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
              'status', upper(r.status)
            )
          end as object
        from runs r
        join sync_tasks f on f.run_id = r.id
        where r.id = j.last_run_id
      ) last_task on true
      order by j.updated_at desc, j.id desc
    ) x
  ), '[]') || '}}}'

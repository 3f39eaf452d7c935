-- The project of a call that names none is a fact of the caller, as the permissions are.
select '{"data":{"pipeline":' || coalesce((
    select to_json(x)::text
    from (
      select
        encode(convert_to('Pipeline:' || p.id, 'UTF8'), 'base64') as id,
        p.id as number,
        p.uuid,
        p.name,
        upper(p.type) as type,
        p.description,
        p.tags,
        p.variables,
        to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
        to_char(p.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "updatedAt"
      from pipelines p
      where (:viewer_is_owner::boolean or p.project_id = any(:viewer_pipeline_read::bigint[]))
        and p.uuid = :uuid
        and p.project_id = :call_project::bigint
    ) x
  ), 'null') || '}}'

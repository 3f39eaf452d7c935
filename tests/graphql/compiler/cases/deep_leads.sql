-- Plan key: where has search and status.in. `next` and `previous` are made of count and offset by
-- the dialect. A field that only some may see would be a case; here whole rows are hidden, so that
-- every count leaves them out as well, the count of duplicates included.
select '{"data":{"leads":{"count":' || (
    select count(*)::text
    from leads l
    where (:viewer_is_owner::boolean
        or l.project_id = any(:viewer_lead_read::bigint[])
        or (l.project_id = any(:viewer_lead_read_unprotected::bigint[]) and l.confidentiality <> 'confidential'))
      and l.project_id = :project::bigint
      and l.searched @@ websearch_to_tsquery('simple', :where.search)
      and l.status = any(:where.status.in::text[])
  )
  || ',"results":' || coalesce((
    select json_agg(x)::text
    from (
      select
        l.id,
        l.title,
        l.source_raw as source,
        l.url,
        upper(l.status) as status,
        upper(l.priority) as priority,
        upper(l.confidentiality) as confidentiality,
        to_char(l.published_on, 'YYYY-MM-DD') as "publishedOn",
        (
          select coalesce(json_agg(y), '[]')
          from (
            select
              w.position,
              (
                select to_json(z)
                from (
                  select u.id, u.username as "displayName" from users u
                  where u.id = w.user_id
                    and (:viewer_is_owner::boolean
                      or u.id = :viewer_id::bigint
                      or exists (
                        select 1 from memberships m
                        where m.user_id = u.id
                          and (:viewer_is_owner::boolean or m.project_id = any(:viewer_project_read::bigint[]))
                      ))
                ) z
              ) as "user"
            from lead_assignees w
            where w.lead_id = l.id
            order by w.position
          ) y
        ) as assignees,
        (
          select to_json(y)
          from (
            select g.id, g.title from lead_groups g
            where g.id = l.lead_group_id
              and (:viewer_is_owner::boolean or g.project_id = any(:viewer_lead_read::bigint[])
                or g.project_id = any(:viewer_lead_read_unprotected::bigint[]))
          ) y
        ) as "leadGroup",
        (
          select to_json(y)
          from (
            select a.id, a.title, a.mime_type as "mimeType" from attachments a
            where a.id = l.attachment_id
              and (:viewer_is_owner::boolean or a.is_public or a.created_by = :viewer_id::bigint
                or exists (
                  select 1 from leads s
                  where s.attachment_id = a.id
                    and (:viewer_is_owner::boolean
                      or s.project_id = any(:viewer_lead_read::bigint[])
                      or (s.project_id = any(:viewer_lead_read_unprotected::bigint[])
                        and s.confidentiality <> 'confidential'))
                ))
          ) y
        ) as attachment,
        (
          select count(*) from leads o
          where o.project_id = l.project_id and o.url_key = l.url_key and o.url_key <> '' and o.id <> l.id
            and (:viewer_is_owner::boolean
              or o.project_id = any(:viewer_lead_read::bigint[])
              or (o.project_id = any(:viewer_lead_read_unprotected::bigint[])
                and o.confidentiality <> 'confidential'))
        ) as "duplicateLeadsCount",
        to_char(l.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt",
        to_char(l.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "modifiedAt",
        l.version as "versionId"
      from leads l
      where (:viewer_is_owner::boolean
          or l.project_id = any(:viewer_lead_read::bigint[])
          or (l.project_id = any(:viewer_lead_read_unprotected::bigint[]) and l.confidentiality <> 'confidential'))
        and l.project_id = :project::bigint
        and l.searched @@ websearch_to_tsquery('simple', :where.search)
        and l.status = any(:where.status.in::text[])
      order by l.updated_at desc, l.created_at desc, l.id desc
      limit :limit::bigint offset :offset::bigint
    ) x
  ), '[]')
  || '},"notTagged":{"totalCount":' || (
    select count(*)::text
    from leads l
    where (:viewer_is_owner::boolean
        or l.project_id = any(:viewer_lead_read::bigint[])
        or (l.project_id = any(:viewer_lead_read_unprotected::bigint[]) and l.confidentiality <> 'confidential'))
      and l.project_id = :project::bigint
      and l.status = 'not_tagged'
  ) || '}}}'

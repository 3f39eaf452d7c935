SELECT (((('{"data":{' || '"leads":') || (((('{"count":' || coalesce(CAST(CAST((SELECT count(*) AS count_1
FROM leads
WHERE ($1::BOOLEAN OR leads.project_id = ANY ($2::BIGINT[]) OR ($1::BOOLEAN OR leads.project_id = ANY ($3::BIGINT[])) AND leads.confidentiality != $4::VARCHAR) AND leads.project_id = $5::BIGINT AND (leads.searched @@ websearch_to_tsquery('simple'::regconfig, $6::VARCHAR)) AND leads.status = ANY ($7::TEXT[])) AS INTEGER) AS TEXT), 'null')) || ',"results":') || (SELECT coalesce(CAST(json_agg(x$10) AS TEXT), '[]') AS coalesce_1
FROM (SELECT CAST(p$1.n0_c_number AS INTEGER) AS id, p$1.n0_c_title AS title, p$1.n0_c_source_raw AS source, p$1.n0_c_url AS url, CASE p$1.n0_c_status WHEN 'not_tagged' THEN 'NOT_TAGGED' WHEN 'in_progress' THEN 'IN_PROGRESS' WHEN 'tagged' THEN 'TAGGED' ELSE CAST(CAST('no word of LeadStatus: ' || coalesce(p$1.n0_c_status, 'nothing') AS INTEGER) AS TEXT) END AS status, CASE p$1.n0_c_priority WHEN 'low' THEN 'LOW' WHEN 'medium' THEN 'MEDIUM' WHEN 'high' THEN 'HIGH' ELSE CAST(CAST('no word of LeadPriority: ' || coalesce(p$1.n0_c_priority, 'nothing') AS INTEGER) AS TEXT) END AS priority, CASE p$1.n0_c_confidentiality WHEN 'unprotected' THEN 'UNPROTECTED' WHEN 'restricted' THEN 'RESTRICTED' WHEN 'confidential' THEN 'CONFIDENTIAL' ELSE CAST(CAST('no word of LeadConfidentiality: ' || coalesce(p$1.n0_c_confidentiality, 'nothing') AS INTEGER) AS TEXT) END AS confidentiality, p$1.n0_c_published_on AS "publishedOn", (SELECT coalesce(CASE WHEN (count(*) <= 50) THEN json_agg(x$5) ELSE CAST('a list of: ' || CAST(count(*) AS TEXT) AS JSON) END, '[]'::json) AS coalesce_2
FROM (SELECT p$2.c_position AS position, (SELECT to_json(x$4) AS to_json_1
FROM (SELECT CAST(p$3.c_number AS INTEGER) AS id, p$3.c_username AS "displayName"
FROM (SELECT users.id AS c_number, users.username AS c_username
FROM users
WHERE ($1::BOOLEAN OR users.id = $8::BIGINT OR (EXISTS (SELECT *
FROM memberships AS memberships_1
WHERE memberships_1.user_id = users.id AND ($1::BOOLEAN OR memberships_1.project_id = ANY ($9::BIGINT[]))))) AND users.id = p$2.l_user_id
LIMIT 1) AS p$3) AS x$4) AS "user"
FROM (SELECT lead_assignees.position AS c_position, lead_assignees.user_id AS l_user_id, lead_assignees.position AS s0
FROM lead_assignees
WHERE (EXISTS (SELECT $10::INTEGER AS anon_2
FROM leads AS leads_1
WHERE leads_1.id = lead_assignees.lead_id AND ($1::BOOLEAN OR leads_1.project_id = ANY ($2::BIGINT[]) OR ($1::BOOLEAN OR leads_1.project_id = ANY ($3::BIGINT[])) AND leads_1.confidentiality != $11::VARCHAR))) AND lead_assignees.lead_id = p$1.n0_l_id ORDER BY lead_assignees.position ASC
LIMIT 51) AS p$2 ORDER BY p$2.s0 ASC) AS x$5) AS assignees, (SELECT to_json(x$7) AS to_json_2
FROM (SELECT CAST(p$6.c_number AS INTEGER) AS id, p$6.c_title AS title
FROM (SELECT lead_groups.id AS c_number, lead_groups.title AS c_title
FROM lead_groups
WHERE ($1::BOOLEAN OR lead_groups.project_id = ANY ($2::BIGINT[]) OR $1::BOOLEAN OR lead_groups.project_id = ANY ($3::BIGINT[])) AND lead_groups.id = p$1.n0_l_lead_group_id
LIMIT 1) AS p$6) AS x$7) AS "leadGroup", (SELECT to_json(x$9) AS to_json_3
FROM (SELECT CAST(p$8.c_number AS INTEGER) AS id, p$8.c_title AS title, p$8.c_mime_type AS "mimeType"
FROM (SELECT attachments.id AS c_number, attachments.title AS c_title, attachments.mime_type AS c_mime_type
FROM attachments
WHERE ($1::BOOLEAN OR attachments.is_public OR $12::BOOLEAN AND attachments.created_by = $8::BIGINT OR (EXISTS (SELECT $13::INTEGER AS anon_3
FROM leads AS leads_2
WHERE leads_2.attachment_id = attachments.id AND ($1::BOOLEAN OR leads_2.project_id = ANY ($2::BIGINT[]) OR ($1::BOOLEAN OR leads_2.project_id = ANY ($3::BIGINT[])) AND leads_2.confidentiality != $14::VARCHAR)))) AND attachments.id = p$1.n0_l_attachment_id
LIMIT 1) AS p$8) AS x$9) AS attachment, CAST(coalesce(p$1.n0_c_duplicate_count, CAST('nothing: ' || coalesce(CAST(p$1.n0_c_duplicate_count AS TEXT), '') AS INTEGER)) AS INTEGER) AS "duplicateLeadsCount", to_char(timezone('UTC', p$1.n0_c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", to_char(timezone('UTC', p$1.n0_c_updated_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "modifiedAt", p$1.n0_c_version AS "versionId"
FROM (SELECT leads.id AS n0_c_number, leads.title AS n0_c_title, leads.source_raw AS n0_c_source_raw, leads.url AS n0_c_url, leads.status AS n0_c_status, leads.priority AS n0_c_priority, leads.confidentiality AS n0_c_confidentiality, leads.published_on AS n0_c_published_on, leads.id AS n0_l_id, leads.lead_group_id AS n0_l_lead_group_id, leads.attachment_id AS n0_l_attachment_id, (SELECT count(*) AS count_2
FROM leads AS leads_3
WHERE leads_3.project_id = leads.project_id AND leads_3.url_key = leads.url_key AND leads_3.url_key != '' AND leads_3.id != leads.id AND ($1::BOOLEAN OR leads_3.project_id = ANY ($2::BIGINT[]) OR ($1::BOOLEAN OR leads_3.project_id = ANY ($3::BIGINT[])) AND leads_3.confidentiality != $15::VARCHAR)) AS n0_c_duplicate_count, leads.created_at AS n0_c_created_at, leads.updated_at AS n0_c_updated_at, leads.version AS n0_c_version, leads.updated_at AS s0, leads.created_at AS s1, leads.id AS s2
FROM leads
WHERE ($1::BOOLEAN OR leads.project_id = ANY ($2::BIGINT[]) OR ($1::BOOLEAN OR leads.project_id = ANY ($3::BIGINT[])) AND leads.confidentiality != $16::VARCHAR) AND leads.project_id = $5::BIGINT AND (leads.searched @@ websearch_to_tsquery('simple'::regconfig, $6::VARCHAR)) AND leads.status = ANY ($7::TEXT[]) ORDER BY leads.updated_at DESC, leads.created_at DESC, leads.id DESC
LIMIT $17::BIGINT OFFSET $18::BIGINT) AS p$1 ORDER BY p$1.s0 DESC, p$1.s1 DESC, p$1.s2 DESC) AS x$10)) || '}')) || ',"notTagged":') || (('{"totalCount":' || coalesce(CAST(CAST((SELECT count(*) AS count_3
FROM leads
WHERE ($1::BOOLEAN OR leads.project_id = ANY ($2::BIGINT[]) OR ($1::BOOLEAN OR leads.project_id = ANY ($3::BIGINT[])) AND leads.confidentiality != $19::VARCHAR) AND leads.project_id = $20::BIGINT AND leads.status = $21::VARCHAR) AS INTEGER) AS TEXT), 'null')) || '}')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $8::BIGINT) AS anon_4

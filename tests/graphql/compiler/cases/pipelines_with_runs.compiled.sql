SELECT (('{"data":{' || '"pipelines":') || (('{"nodes":' || (SELECT coalesce(CAST(json_agg(x6) AS TEXT), '[]') AS coalesce_1
FROM (SELECT encode(convert_to('Pipeline:' || p1.n0_k, 'UTF8'), 'base64') AS id, p1.n0_c_uuid AS uuid, p1.n0_c_name AS name, upper(p1.n0_c_type) AS type, to_char(timezone('UTC', p1.n0_c_updated_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "updatedAt", (SELECT coalesce(json_agg(x3), '[]'::json) AS coalesce_2
FROM (SELECT p2.c_uuid AS uuid, p2.c_name AS name, upper(p2.c_type) AS type, upper(p2.c_language) AS language, p2.c_position AS position
FROM (SELECT blocks.uuid AS c_uuid, blocks.name AS c_name, blocks.type AS c_type, blocks.language AS c_language, blocks.position AS c_position, blocks.position AS s0, blocks.id AS s1
FROM blocks
WHERE ($1::BOOLEAN OR blocks.project_id = ANY ($2::BIGINT[])) AND blocks.pipeline_id = p1.n0_l_id ORDER BY blocks.position ASC, blocks.id ASC) AS p2 ORDER BY p2.s0 ASC, p2.s1 ASC) AS x3) AS blocks, json_build_object('nodes', (SELECT coalesce(json_agg(x5), '[]'::json) AS coalesce_3
FROM (SELECT p4.n0_c_number AS number, upper(p4.n0_c_status) AS status, to_char(timezone('UTC', p4.n0_c_execution_date), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "executionDate", to_char(timezone('UTC', p4.n0_c_started_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "startedAt", to_char(timezone('UTC', p4.n0_c_finished_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "finishedAt"
FROM (SELECT pipeline_runs.number AS n0_c_number, runs.status AS n0_c_status, pipeline_runs.execution_date AS n0_c_execution_date, runs.started_at AS n0_c_started_at, runs.finished_at AS n0_c_finished_at, pipeline_runs.number AS s0, runs.id AS s1
FROM runs JOIN pipeline_runs ON pipeline_runs.run_id = runs.id
WHERE ($1::BOOLEAN OR runs.project_id = ANY ($2::BIGINT[])) AND pipeline_runs.pipeline_id = p1.n0_l_id ORDER BY pipeline_runs.number DESC, runs.id DESC
LIMIT $3::BIGINT) AS p4 ORDER BY p4.s0 DESC, p4.s1 DESC) AS x5)) AS runs
FROM (SELECT pipelines.id AS n0_k, pipelines.uuid AS n0_c_uuid, pipelines.name AS n0_c_name, pipelines.type AS n0_c_type, pipelines.updated_at AS n0_c_updated_at, pipelines.id AS n0_l_id, pipelines.uuid AS s0, pipelines.id AS s1
FROM pipelines
WHERE ($1::BOOLEAN OR pipelines.project_id = ANY ($2::BIGINT[])) AND pipelines.project_id = $4::BIGINT ORDER BY pipelines.uuid ASC, pipelines.id ASC
LIMIT $5::BIGINT) AS p1 ORDER BY p1.s0 ASC, p1.s1 ASC) AS x6)) || '}')) || '}}' AS anon_1

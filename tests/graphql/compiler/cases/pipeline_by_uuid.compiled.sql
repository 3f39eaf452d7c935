SELECT (('{"data":{' || '"pipeline":') || coalesce((SELECT CAST(to_json(x$2) AS TEXT) AS to_json_1
FROM (SELECT encode(convert_to('Pipeline:' || p$1.k, 'UTF8'), 'base64') AS id, CAST(p$1.c_number AS INTEGER) AS number, p$1.c_uuid AS uuid, p$1.c_name AS name, CASE p$1.c_type WHEN 'python' THEN 'PYTHON' WHEN 'integration' THEN 'INTEGRATION' WHEN 'streaming' THEN 'STREAMING' WHEN 'pyspark' THEN 'PYSPARK' WHEN 'databricks' THEN 'DATABRICKS' WHEN 'execution_framework' THEN 'EXECUTION_FRAMEWORK' ELSE CAST(CAST('no word of PipelineType: ' || coalesce(p$1.c_type, 'nothing') AS INTEGER) AS TEXT) END AS type, p$1.c_description AS description, p$1.c_tags AS tags, coalesce(nullif(p$1.c_variables, 'null'::jsonb), CAST('nothing: ' || coalesce(CAST(p$1.c_variables AS TEXT), '') AS JSONB)) AS variables, to_char(timezone('UTC', p$1.c_created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt", to_char(timezone('UTC', p$1.c_updated_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "updatedAt"
FROM (SELECT pipelines.id AS k, pipelines.id AS c_number, pipelines.uuid AS c_uuid, pipelines.name AS c_name, pipelines.type AS c_type, pipelines.description AS c_description, pipelines.tags AS c_tags, pipelines.variables AS c_variables, pipelines.created_at AS c_created_at, pipelines.updated_at AS c_updated_at
FROM pipelines
WHERE ($1::BOOLEAN OR pipelines.project_id = ANY ($2::BIGINT[])) AND pipelines.uuid = $3::VARCHAR AND pipelines.project_id = $4::BIGINT
LIMIT 1) AS p$1) AS x$2), 'null')) || '}}' AS anon_1, (SELECT users.access_version
FROM users
WHERE users.id = $5::BIGINT) AS anon_2

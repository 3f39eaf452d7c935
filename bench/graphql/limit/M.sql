WITH made AS (
  INSERT INTO pipelines (project_id, name, uuid) VALUES ($1, $2, $3) RETURNING *
)
SELECT '{"data":{"pipelineCreate":{"pipeline":' || (
  SELECT to_json(x)::text FROM (
    SELECT id AS number, uuid, name, upper(type) AS type, description,
           executor_type AS "executorType", executor_count AS "executorCount",
           created_at AS "createdAt", updated_at AS "updatedAt", version
      FROM made
  ) x) || '}}}'

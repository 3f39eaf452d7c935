SELECT '{"data":{"pipeline":' || coalesce((
  SELECT to_json(x)::text FROM (
    SELECT id AS number, uuid, name, upper(type) AS type, description,
           executor_type AS "executorType", executor_count AS "executorCount",
           created_at AS "createdAt", updated_at AS "updatedAt", version
      FROM pipelines WHERE project_id = $1 AND uuid = $2
  ) x), 'null') || '}}'

SELECT '{"data":{"pipelineRuns":{"nodes":' || (
  SELECT coalesce(json_agg(x)::text, '[]') FROM (
    SELECT f.number, f.pipeline_uuid AS "pipelineUuid", f.trigger_id AS "triggerNumber",
           f.trigger_name AS "triggerName", upper(l.status) AS status, l.attempt,
           f.passed_sla AS "passedSla", f.execution_date AS "executionDate",
           l.started_at AS "startedAt", l.finished_at AS "finishedAt"
      FROM pipeline_runs f JOIN runs l ON l.id = f.run_id
     WHERE f.project_id = $1 ORDER BY f.number DESC LIMIT 1000
  ) x) || '}}}'

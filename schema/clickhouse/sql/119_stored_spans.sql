CREATE OR REPLACE VIEW {{.View "stored_spans"}} AS
SELECT min(start_time) AS first_at, max(start_time) AS last_at, count() AS rows, true AS posted
FROM {{.Name "calls_v5"}}
{{- if .Keeps "calls_store"}}
UNION ALL
SELECT min(start_time) AS first_at, max(start_time) AS last_at, count() AS rows, false AS posted
FROM {{.Name "calls_store"}}
{{- end}}

CREATE OR REPLACE VIEW {{.View "touches"}} AS
SELECT
    tenant, resource,
    substring(resource, 1, position(resource, ':') - 1) AS resource_type,
    run_id, effect,
    max(t.actor_hash) AS actor_hash,
    max(t.reversibility) AS reversibility,
    min(t.first_at) AS first_at,
    max(t.last_at) AS last_at
FROM {{if .Keeps "touches_store" -}}
(
    SELECT actor_hash, {{.Names "touches_store"}} FROM {{.Name "touches_v5"}}
    UNION ALL
    SELECT toUInt32(0) AS actor_hash, {{.Names "touches_store"}} FROM {{.Name "touches_store"}}
) AS t
{{- else -}}
{{.Name "touches_v5"}} AS t
{{- end}}
GROUP BY tenant, resource, run_id, effect

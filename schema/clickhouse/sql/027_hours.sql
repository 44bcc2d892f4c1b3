CREATE TABLE IF NOT EXISTS {{.Table "hours"}} (
{{.Columns "hours"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "calls"}}
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant, agent_id, hour, actor_hash, calls_partition, segment)
{{- with .Storage "hours"}}
{{.}}{{end}}

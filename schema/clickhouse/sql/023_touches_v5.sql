CREATE TABLE IF NOT EXISTS {{.Table "touches_v5"}} (
{{.Columns "touches_v5"}}
)
ENGINE = {{.Engine "AggregatingMergeTree"}}
PARTITION BY toYYYYMM(first_at)
PRIMARY KEY (tenant, resource)
ORDER BY (tenant, resource, actor_hash, run_id, effect)
{{- with .Storage "touches_v5"}}
{{.}}{{end}}

CREATE TABLE IF NOT EXISTS {{.Table "touches_store"}} (
{{.Columns "touches_store"}}
)
ENGINE = {{.Engine "AggregatingMergeTree"}}
PRIMARY KEY (tenant, resource)
ORDER BY (tenant, resource, run_id, effect)
{{- with .Storage "touches_store"}}
{{.}}{{end}}

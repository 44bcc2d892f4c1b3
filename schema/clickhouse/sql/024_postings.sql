CREATE TABLE IF NOT EXISTS {{.Table "postings"}} (
{{.Columns "postings"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(day)
ORDER BY (tenant, kind, value, day, actor_hash)
{{- with .Storage "postings"}}
{{.}}{{end}}

CREATE TABLE IF NOT EXISTS {{.Table "dead_letters_store"}} (
{{.Columns "dead_letters_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (at, dead_partition, dead_offset)
{{- with .Storage "dead_letters_store"}}
{{.}}{{end}}

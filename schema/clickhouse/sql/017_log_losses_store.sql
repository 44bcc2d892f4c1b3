CREATE TABLE IF NOT EXISTS {{.Table "log_losses_store"}} (
{{.Columns "log_losses_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "noticed_at"}}
ORDER BY (topic, partition, component, epoch, from_offset, kind)
{{- with .Storage "log_losses_store"}}
{{.}}{{end}}

CREATE TABLE IF NOT EXISTS {{.Table "audit_store"}} (
{{.Columns "audit_store"}}
)
ENGINE = {{.Engine "ReplacingMergeTree"}}
ORDER BY (seq, hash)

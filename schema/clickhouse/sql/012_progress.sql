CREATE TABLE IF NOT EXISTS {{.Table "progress"}} (
{{.Columns "progress"}}
)
ENGINE = {{.Engine "ReplacingMergeTree" "next_offset"}}
ORDER BY (calls_topic_id, calls_partition)

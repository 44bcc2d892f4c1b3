CREATE OR REPLACE VIEW {{.View "stitching"}} AS
SELECT tenant, hour, producer, format, run_rule, sum(s.calls) AS calls
FROM {{if .Keeps "stitching_store" -}}
(
    SELECT tenant, hour, producer, format, run_rule, calls FROM {{.Name "stitching_v5"}} FINAL
    UNION ALL
    SELECT tenant, hour, producer, format, run_rule, calls FROM {{.Name "stitching_store"}} FINAL
) AS s
{{- else -}}
{{.Name "stitching_v5"}} AS s FINAL
{{- end}}
GROUP BY tenant, hour, producer, format, run_rule

CREATE OR REPLACE VIEW {{.View "stitching"}} AS
SELECT tenant, hour, producer, format, run_rule, sum(s.calls) AS calls
FROM {{.Name "stitching_store"}} AS s FINAL
GROUP BY tenant, hour, producer, format, run_rule

CREATE OR REPLACE VIEW {{.View "hour_counts"}} AS
SELECT tenant, agent_id, hour, calls, outcome_ok, outcome_unknown, outcome_denied, done_irreversible, bytes_out
FROM {{.Name "hours"}} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
{{- if .Keeps "calls_store"}}
UNION ALL
SELECT tenant, agent_id, toStartOfHour(start_time) AS hour, count() AS calls, countIf(outcome = 'ok') AS outcome_ok,
    countIf(outcome = 'unknown') AS outcome_unknown, countIf(outcome = 'denied') AS outcome_denied,
    countIf(reversibility = 'irreversible' AND outcome IN ('ok', 'unknown')) AS done_irreversible, sum(c.bytes_out) AS bytes_out
FROM {{.Name "calls_store"}} AS c FINAL
WHERE counted
GROUP BY tenant, agent_id, hour
SETTINGS do_not_merge_across_partitions_select_final = 1
{{- end}}

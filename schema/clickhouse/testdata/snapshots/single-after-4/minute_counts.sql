CREATE OR REPLACE VIEW `flyball`.`minute_counts` AS
SELECT tenant, minute, calls, outcome_ok, outcome_unknown, outcome_denied, done_irreversible, bytes_out
FROM `flyball`.`minutes` FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
UNION ALL
SELECT tenant, toStartOfMinute(start_time) AS minute, count() AS calls, countIf(outcome = 'ok') AS outcome_ok,
    countIf(outcome = 'unknown') AS outcome_unknown, countIf(outcome = 'denied') AS outcome_denied,
    countIf(reversibility = 'irreversible' AND outcome IN ('ok', 'unknown')) AS done_irreversible, sum(c.bytes_out) AS bytes_out
FROM `flyball`.`calls_store` AS c FINAL
WHERE counted
GROUP BY tenant, minute
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW `flyball`.`minute_counts` AS
SELECT tenant, minute, calls, outcome_ok, outcome_unknown, outcome_denied, done_irreversible, bytes_out
FROM `flyball`.`minutes` FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

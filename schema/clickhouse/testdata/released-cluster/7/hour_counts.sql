CREATE OR REPLACE VIEW `flyball`.`hour_counts` ON CLUSTER `prod` AS
SELECT tenant, agent_id, hour, calls, outcome_ok, outcome_unknown, outcome_denied, done_irreversible, bytes_out
FROM `flyball`.`hours` FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

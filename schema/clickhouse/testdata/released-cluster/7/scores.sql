CREATE OR REPLACE VIEW `flyball`.`scores` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`scores_store` FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

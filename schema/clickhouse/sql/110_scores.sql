CREATE OR REPLACE VIEW {{.View "scores"}} AS
SELECT * FROM {{.Name "scores_store"}} FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1

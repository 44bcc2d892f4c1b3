CREATE OR REPLACE VIEW {{.View "verdict_history"}} AS
SELECT * FROM {{.Name "verdict_history_store"}} FINAL
UNION DISTINCT
SELECT * FROM {{.Name "verdicts_store"}} FINAL

CREATE OR REPLACE VIEW {{.View "verdicts"}} AS
SELECT * FROM {{.Name "verdicts_store"}} FINAL

CREATE OR REPLACE VIEW {{.View "decisions"}} AS
SELECT * FROM {{.Name "decisions_store"}} FINAL

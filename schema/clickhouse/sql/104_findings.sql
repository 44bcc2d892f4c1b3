CREATE OR REPLACE VIEW {{.View "findings"}} AS
SELECT * FROM {{.Name "findings_store"}} FINAL

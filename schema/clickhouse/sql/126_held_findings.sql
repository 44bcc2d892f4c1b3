CREATE OR REPLACE VIEW {{.View "held_findings"}} AS
SELECT * FROM {{.Name "held_findings_store"}} FINAL

CREATE OR REPLACE VIEW {{.View "audit"}} AS
SELECT * FROM {{.Name "audit_store"}} FINAL

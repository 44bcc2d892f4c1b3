CREATE OR REPLACE VIEW {{.View "holds"}} AS
SELECT * FROM {{.Name "holds_store"}} FINAL

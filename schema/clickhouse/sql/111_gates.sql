CREATE OR REPLACE VIEW {{.View "gates"}} AS
SELECT * FROM {{.Name "gates_store"}} FINAL

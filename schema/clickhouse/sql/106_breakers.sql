CREATE OR REPLACE VIEW {{.View "breakers"}} AS
SELECT * FROM {{.Name "breakers_store"}} FINAL

CREATE OR REPLACE VIEW {{.View "held_decisions"}} AS
SELECT * FROM {{.Name "held_decisions_store"}} FINAL

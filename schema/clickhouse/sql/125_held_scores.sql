CREATE OR REPLACE VIEW {{.View "held_scores"}} AS
SELECT * FROM {{.Name "held_scores_store"}} FINAL

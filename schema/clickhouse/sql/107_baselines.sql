CREATE OR REPLACE VIEW {{.View "baselines"}} AS
SELECT * FROM {{.Name "baselines_store"}} FINAL

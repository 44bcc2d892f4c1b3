CREATE OR REPLACE VIEW {{.View "baselines"}} AS
SELECT tenant, name, version, baseline_version, state, why, made_at, runs, calls, since, until, body, acquaintance
FROM {{.Name "baselines_store"}} FINAL

CREATE OR REPLACE VIEW `flyball`.`baselines` ON CLUSTER `prod` AS
SELECT tenant, name, version, baseline_version, state, why, made_at, runs, calls, since, until, body, acquaintance
FROM `flyball`.`baselines_store` FINAL;

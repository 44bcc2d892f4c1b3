CREATE OR REPLACE VIEW `flyball`.`baselines` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`baselines_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`baselines` AS
SELECT * FROM `flyball`.`baselines_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`verdicts` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`verdicts_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`holds` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`holds_store` FINAL;

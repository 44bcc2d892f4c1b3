CREATE OR REPLACE VIEW `flyball`.`audit` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`audit_store` FINAL;

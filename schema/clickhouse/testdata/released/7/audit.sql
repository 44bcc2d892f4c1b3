CREATE OR REPLACE VIEW `flyball`.`audit` AS
SELECT * FROM `flyball`.`audit_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`held_findings` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`held_findings_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`findings` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`findings_store` FINAL;

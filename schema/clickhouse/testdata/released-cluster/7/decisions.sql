CREATE OR REPLACE VIEW `flyball`.`decisions` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`decisions_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`gates` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`gates_store` FINAL;

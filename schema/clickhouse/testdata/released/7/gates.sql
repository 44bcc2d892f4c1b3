CREATE OR REPLACE VIEW `flyball`.`gates` AS
SELECT * FROM `flyball`.`gates_store` FINAL;

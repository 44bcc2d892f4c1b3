CREATE OR REPLACE VIEW `flyball`.`breakers` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`breakers_store` FINAL;

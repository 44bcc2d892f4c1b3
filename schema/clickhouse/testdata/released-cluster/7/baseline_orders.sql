CREATE OR REPLACE VIEW `flyball`.`baseline_orders` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`baseline_orders_store` FINAL;

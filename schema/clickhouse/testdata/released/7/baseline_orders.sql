CREATE OR REPLACE VIEW `flyball`.`baseline_orders` AS
SELECT * FROM `flyball`.`baseline_orders_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`log_losses` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`log_losses_store` FINAL;

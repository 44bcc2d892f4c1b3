CREATE OR REPLACE VIEW `flyball`.`log_losses` AS
SELECT * FROM `flyball`.`log_losses_store` FINAL;

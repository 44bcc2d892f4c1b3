CREATE OR REPLACE VIEW `flyball`.`held_decisions` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`held_decisions_store` FINAL;

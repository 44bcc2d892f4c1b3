CREATE OR REPLACE VIEW `flyball`.`held_decisions` AS
SELECT * FROM `flyball`.`held_decisions_store` FINAL;

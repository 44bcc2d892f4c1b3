CREATE OR REPLACE VIEW `flyball`.`decisions` AS
SELECT * FROM `flyball`.`decisions_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`holds` AS
SELECT * FROM `flyball`.`holds_store` FINAL;

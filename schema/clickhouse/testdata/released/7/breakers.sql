CREATE OR REPLACE VIEW `flyball`.`breakers` AS
SELECT * FROM `flyball`.`breakers_store` FINAL;

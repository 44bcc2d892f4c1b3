CREATE OR REPLACE VIEW `flyball`.`dead_letters` AS
SELECT * FROM `flyball`.`dead_letters_store` FINAL;

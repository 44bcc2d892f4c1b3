CREATE OR REPLACE VIEW `flyball`.`dead_letters` ON CLUSTER `prod` AS
SELECT * FROM `flyball`.`dead_letters_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`findings` AS
SELECT * FROM `flyball`.`findings_store` FINAL;

CREATE OR REPLACE VIEW `flyball`.`held_findings` AS
SELECT * FROM `flyball`.`held_findings_store` FINAL;

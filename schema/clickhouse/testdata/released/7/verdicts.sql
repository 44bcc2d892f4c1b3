CREATE OR REPLACE VIEW `flyball`.`verdicts` AS
SELECT * FROM `flyball`.`verdicts_store` FINAL;
